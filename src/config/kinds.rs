//! Kinds: the preset with the configuration merged over it, and the rules that hold for the result.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::{Format, Kind, Kinds, Property, PropertyType, Rename, Source};
use agent_sync_core::schema::Design;
use regex::Regex;

use super::check::{Fault, nearest};
use super::file::{
    FormatFile, FromFile, FromPlace, FromWord, KindEntry, KindFile, OneOrMany, Options, Ordered,
    Preset, PropertyEntry, PropertyFile, RenameFile, TypeFile,
};
use super::locate::Step;
use super::merge::drop_dangling;

const AGENT: &str = include_str!("agent.yml");

/// The kinds of a preset.
pub(super) fn preset(preset: Preset) -> Result<Ordered<KindFile>, serde_yaml::Error> {
    match preset {
        Preset::Agent => serde_yaml::from_str(AGENT),
        Preset::None => Ok(Ordered::default()),
    }
}

/// Merges the configured kinds over the preset and builds the result.
pub(super) fn build(
    preset: Ordered<KindFile>,
    configured: &Ordered<Option<KindEntry>>,
    faults: &mut Vec<Fault>,
) -> (Kinds, BTreeMap<String, Design>) {
    let mut merged = preset;
    let mut builder = Builder { faults, path: vec![key("kinds")] };
    for (name, entry) in &configured.0 {
        builder.path.push(key(name));
        builder.merge(&mut merged, name, entry.as_ref());
        builder.path.pop();
    }
    let present: BTreeSet<String> = merged.0.iter().map(|(name, _)| name.clone()).collect();
    for (name, kind) in &mut merged.0 {
        drop_dangling(name, kind, configured, &present);
    }
    let mut kinds = Kinds::new();
    let mut designs = BTreeMap::new();
    for (name, file) in &merged.0 {
        builder.path.push(key(name));
        if let Some(kind) = builder.kind(name, file, &present) {
            designs.insert(name.clone(), builder.design(file, &kind));
            kinds.insert(name.clone(), kind);
        }
        builder.path.pop();
    }
    builder.across(&kinds);
    builder.other_sides(&kinds, &mut designs);
    (kinds, designs)
}

pub(super) fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}

/// Builds kinds and collects what is wrong with them.
pub(super) struct Builder<'f> {
    faults: &'f mut Vec<Fault>,
    pub(super) path: Vec<Step>,
}

impl Builder<'_> {
    pub(super) fn fault(
        &mut self,
        below: &[&str],
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let mut path = self.path.clone();
        path.extend(below.iter().map(|step| key(step)));
        self.faults.push(Fault { path, message: message.into(), hint: hint.into() });
    }

    fn kind(&mut self, name: &str, file: &KindFile, kinds: &BTreeSet<String>) -> Option<Kind> {
        let before = self.faults.len();
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(word) {
            self.fault(
                &[],
                format!("`{name}` cannot be the name of a kind."),
                "Use lower-case letters, digits, `-` and `_`.",
            );
        }
        let format = match file.format {
            Some(FormatFile::Yaml) => Format::Yaml,
            _ => Format::Markdown,
        };
        let folder = self.folder(file.folder.as_deref());
        let default = if format == Format::Yaml { "{id}-{slug}.yaml" } else { "{id}-{slug}.md" };
        let pattern = file.file.as_deref().unwrap_or(default);
        self.file(pattern, format);
        let file_id = self.id_pattern(file.id.as_deref());
        let database = file.database.clone().unwrap_or_else(|| plural(name));
        if database.trim().is_empty() {
            self.fault(
                &["database"],
                "A database needs a title.",
                "Give one, or leave the key out.",
            );
        }
        let properties = self.properties(file, format, kinds);
        (self.faults.len() == before).then_some(())?;
        Some(Kind {
            name: name.to_owned(),
            folder: folder?,
            file: pattern.to_owned(),
            id_pattern: file.id.clone()?,
            file_id: file_id?,
            rename: match file.rename {
                Some(RenameFile::Follow) => Rename::Follow,
                Some(RenameFile::Keep) | None => Rename::Keep,
            },
            database,
            format,
            properties,
        })
    }

    fn folder(&mut self, folder: Option<&str>) -> Option<String> {
        let Some(folder) = folder else {
            self.fault(
                &[],
                "The kind has no `folder`.",
                "Add `folder:`, relative to the repository.",
            );
            return None;
        };
        let plain = folder.trim_start_matches("./").trim_end_matches('/');
        let sound = !plain.is_empty() && is_relative(plain);
        if !sound {
            self.fault(
                &["folder"],
                "The folder is no path inside the repository.",
                "Write it relative to the repository, with `/` and without `..`.",
            );
        }
        sound.then(|| plain.to_owned())
    }

    fn file(&mut self, pattern: &str, format: Format) {
        let filled = pattern.replace("{scope}", "s").replace("{id}", "i").replace("{slug}", "t");
        let last = pattern.rsplit('/').next().unwrap_or_default();
        let behind = last.strip_prefix("{id}").unwrap_or("x");
        let suffix: &[&str] = match format {
            Format::Markdown => &[".md", ".markdown"],
            Format::Yaml => &[".yaml", ".yml"],
        };
        let (problem, hint) = if filled.contains(['{', '}']) {
            ("The file has an unknown placeholder.", "Known are {scope}, {id} and {slug}.")
        } else if !is_relative(&filled) {
            (
                "The file is no path below the folder.",
                "Write it relative to the folder, without `..`.",
            )
        } else if !behind.starts_with(['-', '_', '.', ' ']) {
            ("The file's name must begin with {id}.", "Write for example `{scope}/{id}-{slug}.md`.")
        } else if !suffix.iter().any(|suffix| last.ends_with(suffix)) {
            (
                "The file's name does not end as its format does.",
                "End it in .md, or .yaml for `format: yaml`.",
            )
        } else {
            return;
        };
        self.fault(&["file"], problem, hint);
    }

    fn id_pattern(&mut self, pattern: Option<&str>) -> Option<Regex> {
        let Some(pattern) = pattern else {
            self.fault(
                &[],
                "The kind has no `id`.",
                r"Add `id:` with a regular expression, e.g. '[A-Z]+-\d+'.",
            );
            return None;
        };
        if pattern.starts_with('^') || pattern.ends_with('$') {
            self.fault(
                &["id"],
                "The id's pattern has an anchor.",
                "Leave `^` and `$` out; a whole id is matched.",
            );
            return None;
        }
        let built = Regex::new(pattern).and_then(|alone| {
            let empty = Regex::new(&format!("^(?:{pattern})$")).map(|whole| whole.is_match(""));
            empty.map(|empty| (alone, empty))
        });
        match (built, Regex::new(&format!("^({pattern})(?:[-_. ]|$)"))) {
            (Ok((_, false)), Ok(file_id)) => Some(file_id),
            (Ok((_, true)), _) => {
                self.fault(
                    &["id"],
                    "The id's pattern matches the empty text.",
                    "Require at least one character.",
                );
                None
            }
            _ => {
                self.fault(
                    &["id"],
                    "The id's pattern is no regular expression.",
                    "See https://docs.rs/regex for the syntax; quote it with single quotes.",
                );
                None
            }
        }
    }

    fn properties(
        &mut self,
        file: &KindFile,
        format: Format,
        kinds: &BTreeSet<String>,
    ) -> Vec<Property> {
        let mut properties: Vec<Property> = Vec::new();
        self.path.push(key("properties"));
        for (name, entry) in file.properties.iter().flat_map(|properties| &properties.0) {
            let Some(PropertyEntry::Property(entry)) = entry else { continue };
            self.path.push(key(name));
            if let Some(property) = self.property(name, entry, format, kinds) {
                if properties.iter().any(|other| other.remote_name == property.remote_name) {
                    self.fault(
                        &["notion"],
                        "Two properties have this name in Notion.",
                        "Give each its own.",
                    );
                }
                if properties.iter().any(|other| other.source == property.source) {
                    self.fault(
                        &["from"],
                        "Two properties live at the same place.",
                        "Give each its own.",
                    );
                }
                properties.push(property);
            }
            self.path.pop();
        }
        let titles = properties.iter().filter(|p| p.r#type == PropertyType::Title).count();
        let ids = properties.iter().filter(|p| p.source == Source::Id).count();
        if titles != 1 {
            self.fault(
                &[],
                "A kind needs exactly one property of type title.",
                "Add or keep `Title`.",
            );
        }
        if ids != 1 {
            self.fault(
                &[],
                "A kind needs exactly one property that is `from: id`.",
                "Add or keep `ID`.",
            );
        }
        self.path.pop();
        properties
    }

    fn property(
        &mut self,
        name: &str,
        file: &PropertyFile,
        format: Format,
        kinds: &BTreeSet<String>,
    ) -> Option<Property> {
        let before = self.faults.len();
        let r#type = match file.r#type {
            Some(r#type) => property_type(r#type),
            None if file.options.is_some() => PropertyType::Select,
            None => {
                self.fault(
                    &[],
                    "The property has no `type`.",
                    format!("One of {}.", PropertyType::ALL.map(PropertyType::name).join(", ")),
                );
                return None;
            }
        };
        let source = self.source(file.from.as_ref())?;
        self.fits(&source, r#type, format);
        if file.allow_new_options == Some(true)
            && !matches!(r#type, PropertyType::Select | PropertyType::MultiSelect)
        {
            self.fault(
                &["allow_new_options"],
                format!("A {} gets no new options by a page.", r#type.name()),
                "Leave it out; new options of a status are made in Notion.",
            );
        }
        let options = self.options(file.options.as_ref(), r#type);
        match (&file.target, r#type) {
            (Some(target), PropertyType::Relation) if !kinds.contains(target) => {
                let hint = nearest(target, kinds.iter().map(String::as_str));
                let hint =
                    hint.map_or_else(String::new, |meant| format!("Did you mean `{meant}`?"));
                self.fault(&["target"], format!("There is no kind `{target}`."), hint);
            }
            (None, PropertyType::Relation) => {
                self.fault(
                    &[],
                    "The relation has no `target`.",
                    "Name the kind that it points to.",
                );
            }
            (Some(_), r#type) if r#type != PropertyType::Relation => {
                self.fault(
                    &["target"],
                    "Only a relation has a `target`.",
                    "Leave it out, or set `type: relation`.",
                );
            }
            _ => {}
        }
        let remote_name = file.notion.clone().unwrap_or_else(|| name.to_owned());
        if remote_name.trim().is_empty() {
            self.fault(
                &["notion"],
                "The property's name in Notion is empty.",
                "Give one, or leave the key out.",
            );
        }
        (self.faults.len() == before).then(|| Property {
            name: name.to_owned(),
            remote_name,
            r#type,
            source,
            options,
            target: file.target.clone(),
            allow_new_options: file.allow_new_options.unwrap_or(false),
        })
    }

    fn source(&mut self, from: Option<&FromFile>) -> Option<Source> {
        let hint = "Write `heading`, `id`, or one of {front_matter: key}, {key: key}, {section: [heading]}, \
                    {references: heading}.";
        let place = match from {
            Some(FromFile::Word(FromWord::Heading)) => return Some(Source::Heading),
            Some(FromFile::Word(FromWord::Id)) => return Some(Source::Id),
            Some(FromFile::Place(place)) => place,
            None => {
                self.fault(&[], "The property has no `from`.", hint);
                return None;
            }
        };
        let source = match place {
            FromPlace { front_matter: Some(key), key: None, section: None, references: None }
            | FromPlace { front_matter: None, key: Some(key), section: None, references: None } => {
                Source::Key(key.clone())
            }
            FromPlace {
                front_matter: None,
                key: None,
                section: Some(section),
                references: None,
            } => Source::Section(match section {
                OneOrMany::One(one) => vec![one.clone()],
                OneOrMany::Many(many) => many.clone(),
            }),
            FromPlace {
                front_matter: None,
                key: None,
                section: None,
                references: Some(heading),
            } => Source::References(heading.clone()),
            _ => {
                self.fault(&["from"], "`from` must name exactly one place.", hint);
                return None;
            }
        };
        let line = |text: &String| !text.trim().is_empty() && !text.contains(['\n', '\r']);
        let sound = match &source {
            Source::Section(names) => !names.is_empty() && names.iter().all(line),
            Source::Key(name) | Source::References(name) => line(name),
            _ => true,
        };
        if !sound {
            self.fault(&["from"], "`from` names an empty place.", hint);
            return None;
        }
        Some(source)
    }

    /// Whether such a property can live at such a place.
    fn fits(&mut self, source: &Source, r#type: PropertyType, format: Format) {
        use PropertyType::{Relation, RichText, Title};
        let fits = match source {
            Source::Id => r#type == RichText,
            Source::Heading => r#type == Title,
            Source::Section(_) => r#type != Title && !r#type.is_set() && !r#type.is_read_only(),
            Source::Key(_) => true,
            Source::References(_) => r#type == Relation,
        };
        if !fits {
            self.fault(
                &["from"],
                "A property of this type cannot live there.",
                "title: heading or a key; rich_text: id, a section or a key; relation: references or a key; \
                 multi_select, people, files and what Notion computes: a key; all others: a section or a key.",
            );
        }
        if format == Format::Yaml && !matches!(source, Source::Id | Source::Key(_)) {
            self.fault(&["from"], "A YAML artifact has no headings.", "Use `from: {key: …}`.");
        }
    }

    fn options(
        &mut self,
        options: Option<&Options>,
        r#type: PropertyType,
    ) -> Vec<(String, String)> {
        let pairs: Vec<(String, String)> = match options {
            None => return Vec::new(),
            Some(Options::List(list)) => {
                list.iter().map(|name| (name.clone(), name.clone())).collect()
            }
            Some(Options::Map(map)) => map.0.clone(),
        };
        if !r#type.has_options() {
            self.fault(
                &["options"],
                "Only a select, a multi_select and a status have `options`.",
                "Leave them out, or set one of these types.",
            );
        }
        let (mut local, mut remote) = (BTreeSet::new(), BTreeSet::new());
        for (file, backend) in &pairs {
            let spaced =
                |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ") == *text;
            if file.is_empty() || backend.is_empty() || !spaced(file) || !spaced(backend) {
                self.fault(
                    &["options"],
                    "An option is empty or has stray white space.",
                    "Write it as one line.",
                );
            }
            // https://developers.notion.com/reference/property-object: commas are not valid in option names.
            if backend.contains(',') || backend.chars().count() > 100 {
                self.fault(
                    &["options"],
                    "Notion refuses such an option.",
                    "At most 100 characters, no comma.",
                );
            }
            if !local.insert(file.to_lowercase()) || !remote.insert(backend.to_lowercase()) {
                self.fault(
                    &["options"],
                    "Two options are the same but for case.",
                    "Options are matched without regard to case; keep one.",
                );
            }
        }
        pairs
    }

    /// What must not be the same in two kinds.
    fn across(&mut self, kinds: &Kinds) {
        let mut folders: BTreeMap<&str, &str> = BTreeMap::new();
        let mut databases: BTreeMap<String, &str> = BTreeMap::new();
        for kind in kinds.values() {
            if let Some(other) = folders.insert(&kind.folder, &kind.name) {
                self.fault(
                    &[&kind.name, "folder"],
                    format!("The kinds {other} and {} have the same folder.", kind.name),
                    "Give each its own.",
                );
            }
            if let Some(other) = databases.insert(kind.database.to_lowercase(), &kind.name) {
                self.fault(
                    &[&kind.name, "database"],
                    format!("The kinds {other} and {} have the same database.", kind.name),
                    "Give each its own.",
                );
            }
        }
    }
}

fn property_type(r#type: TypeFile) -> PropertyType {
    match r#type {
        TypeFile::Title => PropertyType::Title,
        TypeFile::RichText => PropertyType::RichText,
        TypeFile::Number => PropertyType::Number,
        TypeFile::Select => PropertyType::Select,
        TypeFile::MultiSelect => PropertyType::MultiSelect,
        TypeFile::Status => PropertyType::Status,
        TypeFile::Date => PropertyType::Date,
        TypeFile::People => PropertyType::People,
        TypeFile::Files => PropertyType::Files,
        TypeFile::Checkbox => PropertyType::Checkbox,
        TypeFile::Url => PropertyType::Url,
        TypeFile::Email => PropertyType::Email,
        TypeFile::PhoneNumber => PropertyType::PhoneNumber,
        TypeFile::Relation => PropertyType::Relation,
        TypeFile::Formula => PropertyType::Formula,
        TypeFile::Rollup => PropertyType::Rollup,
        TypeFile::UniqueId => PropertyType::UniqueId,
        TypeFile::CreatedTime => PropertyType::CreatedTime,
        TypeFile::CreatedBy => PropertyType::CreatedBy,
        TypeFile::LastEditedTime => PropertyType::LastEditedTime,
        TypeFile::LastEditedBy => PropertyType::LastEditedBy,
    }
}

/// Whether a path is relative and stays below where it begins, outside of `.git`.
pub(super) fn is_relative(path: &str) -> bool {
    !path.contains(['\\', '\0', ':'])
        && path.split('/').all(|part| {
            !part.is_empty() && part != "." && part != ".." && !part.eq_ignore_ascii_case(".git")
        })
}

/// `policy` → `Policies`, `story` → `Stories`, `spec` → `Specs`.
fn plural(name: &str) -> String {
    let name = name.replace(['-', '_'], " ");
    let plural = match name.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if name.ends_with('s') => format!("{name}es"),
        _ => format!("{name}s"),
    };
    let mut letters = plural.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
