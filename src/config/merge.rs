//! The configuration merged over the preset: kinds, properties, options.

use std::collections::BTreeSet;

use super::check::nearest;
use super::file::{
    FormatFile, FromFile, FromPlace, FromWord, KindEntry, KindFile, Options, Ordered,
    PropertyEntry, PropertyFile, TypeFile,
};
use super::kinds::Builder;

impl Builder<'_> {
    /// Merges one configured kind over what the preset has; nothing, where it drops the kind.
    pub(super) fn merge(
        &mut self,
        merged: &mut Ordered<KindFile>,
        name: &str,
        entry: Option<&KindEntry>,
    ) {
        let at = merged.0.iter().position(|(other, _)| other == name);
        match (entry, at) {
            (None | Some(KindEntry::Switch(false)), Some(at)) => {
                merged.0.remove(at);
            }
            (Some(KindEntry::Switch(true)), Some(_)) => {}
            (None | Some(KindEntry::Switch(_)), None) => {
                let known = merged.0.iter().map(|(name, _)| name.as_str());
                let hint = match nearest(name, known) {
                    Some(meant) => format!("Did you mean `{meant}`?"),
                    None => "Give its `folder` and `id`.".to_owned(),
                };
                self.fault(&[], format!("The preset has no kind `{name}`."), hint);
            }
            (Some(KindEntry::Kind(file)), Some(at)) => {
                if let Some((_, base)) = merged.0.get_mut(at) {
                    self.merge_kind(base, file);
                }
            }
            (Some(KindEntry::Kind(file)), None) => {
                let mut base =
                    KindFile { properties: Some(own_properties(file)), ..KindFile::default() };
                self.merge_kind(&mut base, file);
                merged.0.push((name.to_owned(), base));
            }
        }
    }

    fn merge_kind(&mut self, base: &mut KindFile, over: &KindFile) {
        let take = |base: &mut Option<String>, over: &Option<String>| {
            if over.is_some() {
                base.clone_from(over);
            }
        };
        take(&mut base.folder, &over.folder);
        take(&mut base.file, &over.file);
        take(&mut base.id, &over.id);
        take(&mut base.database, &over.database);
        take(&mut base.description, &over.description);
        base.rename = over.rename.or(base.rename);
        base.format = over.format.or(base.format);
        if over.views.is_some() {
            base.views.clone_from(&over.views);
        }
        if over.template.is_some() {
            base.template.clone_from(&over.template);
        }
        let properties = base.properties.get_or_insert_default();
        for (name, entry) in over.properties.iter().flat_map(|properties| &properties.0) {
            let at = properties.0.iter().position(|(other, _)| other == name);
            match (entry, at) {
                (None | Some(PropertyEntry::Switch(false)), Some(at)) => {
                    properties.0.remove(at);
                }
                (Some(PropertyEntry::Switch(true)), Some(_)) => {}
                (None | Some(PropertyEntry::Switch(_)), None) => {
                    let known = properties.0.iter().map(|(name, _)| name.as_str());
                    let hint = nearest(name, known).map_or_else(
                        || "Give its `type` and `from`.".to_owned(),
                        |m| format!("Did you mean `{m}`?"),
                    );
                    self.fault(
                        &["properties", name],
                        format!("There is no property `{name}` to switch."),
                        hint,
                    );
                }
                (Some(PropertyEntry::Property(file)), Some(at)) => {
                    if let Some((_, Some(PropertyEntry::Property(base)))) = properties.0.get_mut(at)
                    {
                        merge_property(base, file);
                    }
                }
                (Some(entry), None) => properties.0.push((name.clone(), Some(entry.clone()))),
            }
        }
    }
}

/// Relations of the preset go together with the preset's kind that they point to.
pub(super) fn drop_dangling(
    name: &str,
    kind: &mut KindFile,
    configured: &Ordered<Option<KindEntry>>,
    present: &BTreeSet<String>,
) {
    let own = configured.0.iter().find_map(|(other, entry)| match entry {
        Some(KindEntry::Kind(file)) if other == name => file.properties.as_ref(),
        _ => None,
    });
    let Some(properties) = &mut kind.properties else { return };
    properties.0.retain(|(property, entry)| match entry {
        Some(PropertyEntry::Property(file)) => {
            let named = own.is_some_and(|own| own.0.iter().any(|(name, _)| name == property));
            named || file.target.as_ref().is_none_or(|target| present.contains(target))
        }
        _ => true,
    });
}

/// Title and ID of a kind that is not in the preset, where the configuration does not define its own.
fn own_properties(file: &KindFile) -> Ordered<Option<PropertyEntry>> {
    let yaml = file.format == Some(FormatFile::Yaml);
    let entries = || {
        let properties = file.properties.iter().flat_map(|properties| &properties.0);
        properties.filter_map(|(name, entry)| match entry {
            Some(PropertyEntry::Property(property)) => Some((name, property)),
            _ => None,
        })
    };
    let mut own = Vec::new();
    if !entries().any(|(name, p)| p.r#type == Some(TypeFile::Title) && name != "Title") {
        let from = if yaml {
            FromFile::Place(FromPlace { key: Some("title".to_owned()), ..FromPlace::default() })
        } else {
            FromFile::Word(FromWord::Heading)
        };
        own.push(("Title".to_owned(), TypeFile::Title, from));
    }
    let is_id = |p: &PropertyFile| matches!(p.from, Some(FromFile::Word(FromWord::Id)));
    if !entries().any(|(name, p)| is_id(p) && name != "ID") {
        own.push(("ID".to_owned(), TypeFile::RichText, FromFile::Word(FromWord::Id)));
    }
    let entry = |(name, r#type, from)| {
        let property =
            PropertyFile { r#type: Some(r#type), from: Some(from), ..PropertyFile::default() };
        (name, Some(PropertyEntry::Property(Box::new(property))))
    };
    Ordered(own.into_iter().map(entry).collect())
}

fn merge_property(base: &mut PropertyFile, over: &PropertyFile) {
    if over.notion.is_some() {
        base.notion.clone_from(&over.notion);
    }
    base.r#type = over.r#type.or(base.r#type);
    if over.from.is_some() {
        base.from.clone_from(&over.from);
    }
    if over.target.is_some() {
        base.target.clone_from(&over.target);
    }
    base.allow_new_options = over.allow_new_options.or(base.allow_new_options);
    if over.description.is_some() {
        base.description.clone_from(&over.description);
    }
    if over.two_way.is_some() {
        base.two_way.clone_from(&over.two_way);
    }
    // Another list of options has colours of its own.
    if matches!(over.options, Some(Options::List(_))) {
        base.colors = None;
    }
    for (option, color) in over.colors.iter().flat_map(|colors| &colors.0) {
        let colors = &mut base.colors.get_or_insert_default().0;
        colors.retain(|(known, _)| !known.eq_ignore_ascii_case(option));
        colors.push((option.clone(), *color));
    }
    match (&over.options, &mut base.options) {
        (Some(Options::Map(names)), Some(Options::List(list))) => {
            let pairs = list.iter().map(|name| (name.clone(), name.clone())).collect();
            base.options = Some(Options::Map(Ordered(renamed(pairs, names))));
        }
        (Some(Options::Map(names)), Some(Options::Map(pairs))) => {
            pairs.0 = renamed(std::mem::take(&mut pairs.0), names);
        }
        (Some(options), _) => base.options = Some(options.clone()),
        (None, _) => {}
    }
}

/// The options with the names in the backend that the configuration gives; options that are new come last.
fn renamed(mut pairs: Vec<(String, String)>, names: &Ordered<String>) -> Vec<(String, String)> {
    for (local, remote) in &names.0 {
        match pairs.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(local)) {
            Some((_, name)) => name.clone_from(remote),
            None => pairs.push((local.clone(), remote.clone())),
        }
    }
    pairs
}
