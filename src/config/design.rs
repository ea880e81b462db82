//! What the tables of kinds look like to people: descriptions, colours, other sides of relations, views, templates.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::{Kind, Kinds, PropertyType};
use agent_sync_core::schema::{
    Color, ColumnDesign, Design, Layout, TemplateFile, View, usual_views,
};

use super::check::nearest;
use super::file::{
    ColorFile, KindFile, PropertyEntry, PropertyFile, TemplateEntry, TwoWay, ViewEntry, ViewFile,
    ViewType, ViewsFile,
};
use super::kinds::{Builder, is_relative, key};

/// Notion cuts nothing at this length, but one text of a request may have no more UTF-16 units.
const LONGEST: usize = 2000;

impl Builder<'_> {
    pub(super) fn design(&mut self, file: &KindFile, kind: &Kind) -> Design {
        let mut columns = BTreeMap::new();
        self.path.push(key("properties"));
        for (name, entry) in file.properties.iter().flat_map(|properties| &properties.0) {
            let Some(PropertyEntry::Property(file)) = entry else { continue };
            self.path.push(key(name));
            let column = self.column(name, file, kind);
            if column != ColumnDesign::default() {
                columns.insert(name.clone(), column);
            }
            self.path.pop();
        }
        self.path.pop();
        Design {
            description: self.description(file.description.as_deref()),
            columns,
            views: self.views(file.views.as_ref(), kind),
            template: self.template(file.template.as_ref()),
        }
    }

    fn column(&mut self, name: &str, file: &PropertyFile, kind: &Kind) -> ColumnDesign {
        let property = kind.property(name);
        let mut colors = BTreeMap::new();
        for (option, color) in file.colors.iter().flat_map(|colors| &colors.0) {
            match property.and_then(|property| property.option_of_local(option)) {
                Some((_, remote)) => {
                    colors.insert(remote.clone(), color_of(*color));
                }
                None => {
                    let known = property.iter().flat_map(|property| &property.options);
                    let hint = nearest(option, known.map(|(local, _)| local.as_str()));
                    let hint = hint.map_or_else(
                        || "Colours are for configured options.".to_owned(),
                        |meant| format!("Did you mean `{meant}`?"),
                    );
                    self.fault(&["colors", option], "There is no such option.", hint);
                }
            }
        }
        let relation = property.is_some_and(|property| property.r#type == PropertyType::Relation);
        let two_way = match &file.two_way {
            None | Some(TwoWay::Switch(false)) => None,
            Some(TwoWay::Switch(true)) => Some(kind.database.clone()),
            Some(TwoWay::Name(name)) => Some(name.clone()),
        };
        if two_way.is_some() && !relation {
            self.fault(&["two_way"], "Only a relation has two sides.", "Leave it out.");
        }
        if two_way.as_ref().is_some_and(|name| name.trim().is_empty()) {
            self.fault(&["two_way"], "The other side's name is empty.", "Give one, or write true.");
        }
        ColumnDesign {
            description: self.description(file.description.as_deref()),
            colors,
            two_way,
            mirrored: false,
        }
    }

    fn description(&mut self, text: Option<&str>) -> Option<String> {
        let text = text?.trim();
        if text.encode_utf16().count() > LONGEST {
            self.fault(
                &["description"],
                "The description is too long.",
                "Write at most 2,000 characters.",
            );
        }
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn views(&mut self, file: Option<&ViewsFile>, kind: &Kind) -> Vec<View> {
        let mut views = usual_views(kind);
        let named = match file {
            None | Some(ViewsFile::Switch(true)) => return views,
            Some(ViewsFile::Switch(false)) => return Vec::new(),
            Some(ViewsFile::Named(named)) => named,
        };
        for (name, entry) in &named.0 {
            let at = views.iter().position(|view| view.name == *name);
            match (entry, at) {
                (Some(ViewEntry::View(file)), at) => {
                    let Some(layout) = self.layout(name, file, kind) else { continue };
                    let view = View { name: name.clone(), layout };
                    match at.and_then(|at| views.get_mut(at)) {
                        Some(usual) => *usual = view,
                        None => views.push(view),
                    }
                }
                (Some(ViewEntry::Switch(true)), Some(_)) => {}
                (None | Some(ViewEntry::Switch(false)), Some(at)) => {
                    views.remove(at);
                }
                (None | Some(ViewEntry::Switch(_)), None) => {
                    let hint = nearest(name, views.iter().map(|view| view.name.as_str()));
                    let hint = hint.map_or_else(
                        || "Give its `type`.".to_owned(),
                        |meant| format!("Did you mean `{meant}`?"),
                    );
                    self.fault(&["views", name], "There is no such view to switch.", hint);
                }
            }
        }
        views
    }

    fn layout(&mut self, name: &str, file: &ViewFile, kind: &Kind) -> Option<Layout> {
        let property = file.group_by.as_deref().map(|group| kind.property(group));
        let hint = "Name a property of the kind, as it is configured.";
        if name.trim().is_empty() {
            self.fault(&["views", name], "A view needs a name.", "Give one.");
            return None;
        }
        match (file.r#type, property) {
            (_, Some(None)) => {
                self.fault(&["views", name, "group_by"], "There is no such property.", hint);
                None
            }
            (ViewType::List, Some(_)) => {
                self.fault(&["views", name, "group_by"], "A list has no groups.", "Leave it out.");
                None
            }
            (ViewType::List, None) => Some(Layout::List { edited_within: None }),
            (ViewType::Table, property) => {
                let group_by = property.flatten().map(|property| property.name.clone());
                Some(Layout::Table { group_by })
            }
            (ViewType::Board, Some(Some(property))) if property.r#type.has_options() => {
                Some(Layout::Board { group_by: property.name.clone() })
            }
            (ViewType::Board, _) => {
                self.fault(
                    &["views", name],
                    "A board needs `group_by` with a property that has options.",
                    hint,
                );
                None
            }
        }
    }

    fn template(&mut self, file: Option<&TemplateEntry>) -> TemplateFile {
        match file {
            None | Some(TemplateEntry::Switch(true)) => TemplateFile::Usual,
            Some(TemplateEntry::Switch(false)) => TemplateFile::None,
            Some(TemplateEntry::File(path)) => {
                let path = path.trim_start_matches("./");
                if !is_relative(path) {
                    self.fault(
                        &["template"],
                        "The template is no path inside the repository.",
                        "Write it relative to the repository, with `/` and without `..`.",
                    );
                }
                TemplateFile::File(path.to_owned())
            }
        }
    }

    /// The other sides of relations must not meet in one name. Properties that are one are marked as such.
    pub(super) fn other_sides(&mut self, kinds: &Kinds, designs: &mut BTreeMap<String, Design>) {
        let mut taken: BTreeSet<(String, String)> = BTreeSet::new();
        let mut mirrored = Vec::new();
        for (kind, design) in
            kinds.values().filter_map(|kind| Some((kind, designs.get(&kind.name)?)))
        {
            for (name, column) in &design.columns {
                let target = kind.property(name).and_then(|property| property.target.clone());
                let Some((target, other)) = target.zip(column.two_way.clone()) else { continue };
                let there = kinds.get(&target).into_iter().flat_map(|target| &target.properties);
                let same = there.into_iter().find(|property| property.remote_name == other);
                let foreign = same.is_some_and(|same| same.target.as_ref() != Some(&kind.name));
                mirrored.extend(same.map(|same| (target.clone(), same.name.clone())));
                if !taken.insert((target.clone(), other.clone())) || foreign {
                    self.fault(
                        &[&kind.name, "properties", name, "two_way"],
                        format!("The kind {target} has another property called `{other}`."),
                        "Write the other side's name: `two_way: <name>`.",
                    );
                }
            }
        }
        for (kind, property) in mirrored {
            if let Some(design) = designs.get_mut(&kind) {
                design.columns.entry(property).or_default().mirrored = true;
            }
        }
    }
}

fn color_of(color: ColorFile) -> Color {
    match color {
        ColorFile::Default => Color::Default,
        ColorFile::Gray => Color::Gray,
        ColorFile::Brown => Color::Brown,
        ColorFile::Orange => Color::Orange,
        ColorFile::Yellow => Color::Yellow,
        ColorFile::Green => Color::Green,
        ColorFile::Blue => Color::Blue,
        ColorFile::Purple => Color::Purple,
        ColorFile::Pink => Color::Pink,
        ColorFile::Red => Color::Red,
    }
}
