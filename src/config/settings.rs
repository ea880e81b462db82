//! From the file's own types to the configuration: defaults, environment, and rules that no schema can say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use agent_sync_core::kind::{Format, Kinds, PropertyType, Source};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::check::{self, Fault, nearest};
use super::error::{ConfigError, Problem};
use super::file::{
    BackendFile, File, LimitsFile, MarkdownVersion, Ordered, Preset, RepositoryFile, StateFile,
};
use super::locate::{Step, line_of};
use super::{
    BackendConfig, Config, Limits, NotionConfig, Percent, Publish, Repository, StateConfig, kinds,
    source,
};

type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Kinds that leave the repository unless the configuration says otherwise.
const SHARED: [&str; 4] = ["story", "plan", "adr", "runbook"];

/// Reads the text of a configuration file.
pub(super) fn parse(file: PathBuf, text: &str, env: Env<'_>) -> Result<Config, ConfigError> {
    let text = text.trim_start_matches('\u{feff}');
    let secrets: Vec<Problem> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| source::looks_secret(line))
        .map(|(number, _)| Problem {
            file: file.clone(),
            line: Some(number + 1),
            message: "This line holds what looks like a secret.".to_owned(),
            hint: "Remove it, revoke it if the file was ever committed, and give it in the environment \
                   (NOTION_TOKEN, or the variable that `url_env` names)."
                .to_owned(),
        })
        .collect();
    if !secrets.is_empty() {
        return Err(ConfigError { problems: secrets });
    }
    let failed = |faults: Vec<Fault>| ConfigError {
        problems: faults
            .into_iter()
            .map(|fault| Problem {
                file: file.clone(),
                line: line_of(text, &fault.path),
                message: fault.message,
                hint: fault.hint,
            })
            .collect(),
    };
    let raw = value_of(&file, text, env, &failed)?;
    let raw: File = serde_json::from_value(raw).map_err(|error| {
        ConfigError::one(
            file.clone(),
            None,
            format!("The file is not as it should be: {error}."),
            "",
        )
    })?;
    let mut faults = Vec::new();
    let config = build(file.clone(), &raw, env, &mut faults);
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(failed(faults)),
    }
}

/// The file as a value that fits the schema, with variables expanded.
fn value_of(
    file: &std::path::Path,
    text: &str,
    env: Env<'_>,
    failed: &dyn Fn(Vec<Fault>) -> ConfigError,
) -> Result<Value, ConfigError> {
    let yaml: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        let message = format!("The file is no YAML: {error}.");
        ConfigError::one(file.to_path_buf(), line, message, "Check quotes, colons and indentation.")
    })?;
    let mut faults = Vec::new();
    let mut value = source::to_json(yaml, &mut Vec::new(), &mut faults);
    if value.is_null() {
        value = json!({});
    }
    source::expand(&mut value, env, &mut Vec::new(), &mut faults);
    faults.extend(check::check(&value, &super::schema()));
    if faults.is_empty() { Ok(value) } else { Err(failed(faults)) }
}

fn path(steps: &[&str]) -> Vec<Step> {
    steps.iter().map(|step| Step::Key((*step).to_owned())).collect()
}

fn fault(
    faults: &mut Vec<Fault>,
    steps: &[&str],
    message: impl Into<String>,
    hint: impl Into<String>,
) {
    faults.push(Fault { path: path(steps), message: message.into(), hint: hint.into() });
}

/// `None` only with a fault.
fn build(file: PathBuf, raw: &File, env: Env<'_>, faults: &mut Vec<Fault>) -> Option<Config> {
    if raw.version.is_some_and(|version| version != 1) {
        fault(
            faults,
            &["version"],
            "This version of the format is not known.",
            "Write `version: 1`.",
        );
    }
    let preset = match kinds::preset(raw.preset.unwrap_or(Preset::Agent)) {
        Ok(preset) => preset,
        Err(error) => {
            fault(
                faults,
                &["preset"],
                format!("The preset is broken: {error}."),
                "Please report this.",
            );
            return None;
        }
    };
    let none = Ordered::default();
    let kinds = kinds::build(preset, raw.kinds.as_ref().unwrap_or(&none), faults);
    if kinds.is_empty() && faults.is_empty() {
        fault(
            faults,
            &["kinds"],
            "No kind is configured.",
            "Use `preset: agent`, or describe a kind under `kinds:`.",
        );
    }
    let backends = backends(raw, &kinds, env, faults);
    let default_branch = raw.repository.as_ref().and_then(|r| r.default_branch.clone());
    let state = state(raw.state.as_ref(), default_branch.as_deref(), faults);
    let limits = limits(raw.limits.as_ref(), faults);
    let day = Duration::from_secs(24 * 60 * 60);
    let full_every = match raw.full_every.as_deref().map(duration) {
        None => day,
        Some(Some(duration)) => duration,
        Some(None) => {
            fault(
                faults,
                &["full_every"],
                "This is no length of time.",
                "Write for example `1 day` or `12 hours`.",
            );
            day
        }
    };
    Some(Config {
        file,
        mapping_hash: mapping_hash(&kinds, &backends),
        backends,
        kinds,
        repository: repository(raw.repository.as_ref(), env, faults),
        limits,
        full_every,
        publish: raw.publish.unwrap_or(Publish::PullRequest),
        state,
        janitor: raw.janitor.clone().map_or(Value::Null, Value::Object),
    })
}

fn repository(raw: Option<&RepositoryFile>, env: Env<'_>, faults: &mut Vec<Fault>) -> Repository {
    let raw = raw.cloned().unwrap_or_default();
    let given = |name: &str| env(name).filter(|value| !value.is_empty());
    let from_env = || {
        let server = given("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
        given("GITHUB_REPOSITORY").map(|name| format!("{}/{name}", server.trim_end_matches('/')))
    };
    let configured = raw.url.is_some();
    let url = raw.url.or_else(from_env).map(|url| {
        let url = url.trim_end_matches('/');
        url.strip_suffix(".git").unwrap_or(url).to_owned()
    });
    let web = |url: &str| url.starts_with("https://") || url.starts_with("http://");
    if configured
        && url.as_deref().is_some_and(|url| !web(url) || url.contains(char::is_whitespace))
    {
        fault(
            faults,
            &["repository", "url"],
            "The repository's address is no web address.",
            "Write for example `https://github.com/org/repo`.",
        );
    }
    Repository { url, default_branch: raw.default_branch, private: raw.private }
}

fn backends(
    raw: &File,
    kinds: &Kinds,
    env: Env<'_>,
    faults: &mut Vec<Fault>,
) -> Vec<BackendConfig> {
    let default = Ordered(vec![(
        "notion".to_owned(),
        BackendFile::Notion {
            parent_page: None,
            databases: None,
            requests_per_minute: None,
            markdown_version: None,
            share: None,
            assign_ids: None,
            auto_init: None,
            settle_seconds: None,
        },
    )]);
    let listed = raw.backends.as_ref().unwrap_or(&default);
    if listed.0.is_empty() {
        fault(
            faults,
            &["backends"],
            "No backend is configured.",
            "Describe one, or leave the key out for Notion.",
        );
    }
    let notions = listed.0.iter().filter(|(_, b)| matches!(b, BackendFile::Notion { .. })).count();
    let page = env("NOTION_PARENT_PAGE_ID").filter(|page| !page.is_empty());
    let mut backends = Vec::new();
    for (name, backend) in &listed.0 {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(word) {
            fault(
                faults,
                &["backends", name],
                "This cannot be the name of a backend.",
                "Use letters, digits, `-` and `_`.",
            );
        }
        backends.push(match backend {
            BackendFile::Notion { .. } => BackendConfig::Notion(notion(
                name,
                backend,
                kinds,
                (page.as_deref(), notions == 1),
                faults,
            )),
            BackendFile::Sqlite { path } => {
                if path.trim().is_empty() {
                    fault(
                        faults,
                        &["backends", name, "path"],
                        "The path is empty.",
                        "Name a file.",
                    );
                }
                BackendConfig::Sqlite { name: name.clone(), path: path.clone() }
            }
            BackendFile::Postgres { url_env, schema } => {
                let schema = schema.clone().unwrap_or_else(|| "agent_sync".to_owned());
                if !is_identifier(url_env) {
                    fault(
                        faults,
                        &["backends", name, "url_env"],
                        "This is no name of an environment variable.",
                        "Name the variable that holds the URL, not the URL.",
                    );
                }
                // PostgreSQL cuts longer identifiers: https://www.postgresql.org/docs/current/sql-syntax-lexical.html
                if !is_identifier(&schema) || schema.len() > 63 {
                    fault(
                        faults,
                        &["backends", name, "schema"],
                        "This is no plain name of a schema.",
                        "Use at most 63 letters, digits and `_`.",
                    );
                }
                BackendConfig::Postgres { name: name.clone(), url_env: url_env.clone(), schema }
            }
        });
    }
    backends
}

/// `environment` is NOTION_PARENT_PAGE_ID and whether it stands above the file: it does for the only Notion
/// backend (precedence: environment, then configuration), among several it serves those that name no page.
fn notion(
    name: &str,
    raw: &BackendFile,
    kinds: &Kinds,
    environment: (Option<&str>, bool),
    faults: &mut Vec<Fault>,
) -> NotionConfig {
    let mut config = NotionConfig {
        name: name.to_owned(),
        parent_page: None,
        databases: BTreeMap::new(),
        requests_per_minute: 180,
        markdown_version: "v1".to_owned(),
        share: SHARED
            .iter()
            .filter(|kind| kinds.contains_key(**kind))
            .map(|k| (*k).to_owned())
            .collect(),
        assign_ids: false,
        auto_init: false,
        settle_seconds: 60,
    };
    let BackendFile::Notion {
        parent_page,
        databases,
        requests_per_minute,
        markdown_version,
        share,
        assign_ids,
        auto_init,
        settle_seconds,
    } = raw
    else {
        return config;
    };
    let at = |last: &'static str| ["backends".to_owned(), name.to_owned(), last.to_owned()];
    let mut wrong = |steps: &[String], message: String, hint: String| {
        let path = steps.iter().map(|step| Step::Key(step.clone())).collect();
        faults.push(Fault { path, message, hint });
    };
    let id_hint = || {
        "Copy the link of the page or database from Notion; it ends in 32 hexadecimal digits."
            .to_owned()
    };
    let page = match environment {
        (Some(page), true) => Some(page),
        (page, _) => parent_page.as_deref().or(page),
    };
    config.parent_page = page.and_then(notion_id);
    if page.is_some() && config.parent_page.is_none() {
        wrong(
            &at("parent_page"),
            "The parent page is no id or URL of a Notion page.".to_owned(),
            id_hint(),
        );
    }
    let known = |kind: &str| {
        let meant = nearest(kind, kinds.keys().map(String::as_str));
        meant.map_or_else(
            || format!("Configured are {}.", kinds.keys().cloned().collect::<Vec<_>>().join(", ")),
            |meant| format!("Did you mean `{meant}`?"),
        )
    };
    for (kind, database) in databases.iter().flat_map(|databases| &databases.0) {
        let mut steps = at("databases").to_vec();
        steps.push(kind.clone());
        if !kinds.contains_key(kind) {
            wrong(&steps, format!("There is no kind `{kind}`."), known(kind));
        }
        match notion_id(database) {
            Some(id) => {
                config.databases.insert(kind.clone(), id);
            }
            None => {
                wrong(&steps, "This is no id or URL of a Notion database.".to_owned(), id_hint())
            }
        }
    }
    if let Some(share) = share {
        let mut seen = BTreeSet::new();
        config.share = share.iter().filter(|kind| seen.insert(*kind)).cloned().collect();
        for kind in share.iter().filter(|kind| !kinds.contains_key(*kind)) {
            wrong(&at("share"), format!("There is no kind `{kind}`."), known(kind));
        }
    }
    if config.share.is_empty() {
        let hint =
            "Name the kinds that may leave the repository, e.g. `share: [story]`.".to_owned();
        wrong(&at("share"), "No kind is shared with Notion.".to_owned(), hint);
    }
    config.requests_per_minute = requests_per_minute.unwrap_or(config.requests_per_minute);
    if !(1..=10_000).contains(&config.requests_per_minute) {
        let hint = "Notion permits 180 in each minute.".to_owned();
        wrong(&at("requests_per_minute"), "The pace must be between 1 and 10000.".to_owned(), hint);
    }
    if *markdown_version == Some(MarkdownVersion::V2) {
        let message = "Version v2 of Notion's Markdown is not supported yet.".to_owned();
        wrong(&at("markdown_version"), message, "Write `v1`.".to_owned());
    }
    config.assign_ids = assign_ids.unwrap_or(false);
    config.auto_init = auto_init.unwrap_or(false);
    config.settle_seconds = settle_seconds.map_or(config.settle_seconds, u64::from);
    config
}

fn state(
    raw: Option<&StateFile>,
    default_branch: Option<&str>,
    faults: &mut Vec<Fault>,
) -> StateConfig {
    let raw = raw.cloned().unwrap_or_default();
    let reference = raw.reference.unwrap_or_else(|| "refs/agent-sync/state".to_owned());
    if !is_ref(&reference) {
        fault(
            faults,
            &["state", "ref"],
            "This is no name of a git ref.",
            "It begins with `refs/`, e.g. `refs/agent-sync/state`.",
        );
    }
    if default_branch.is_some_and(|branch| reference == format!("refs/heads/{branch}")) {
        fault(
            faults,
            &["state", "ref"],
            "The state cannot live in the default branch.",
            "Name another ref.",
        );
    }
    StateConfig { reference, keep_days: raw.keep_days.unwrap_or(365) }
}

fn limits(raw: Option<&LimitsFile>, faults: &mut Vec<Fault>) -> Limits {
    let raw = raw.cloned().unwrap_or_default();
    let mut share = |name: &str, given: Option<String>, default: u8| {
        let parsed = given.as_deref().map_or(Percent::new(default), percent);
        if parsed.is_none() {
            fault(
                faults,
                &["limits", name],
                "This is no share.",
                "Write for example `10%`, at most `100%`.",
            );
        }
        parsed.unwrap_or(Percent(default))
    };
    Limits {
        max_delete: share("max_delete", raw.max_delete, 10),
        max_change: share("max_change", raw.max_change, 50),
    }
}

fn percent(text: &str) -> Option<Percent> {
    let number = text.trim().strip_suffix('%')?.trim_end();
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    Percent::new(number.parse().ok().filter(|_| digits)?)
}

/// `1 day`, `12 hours`, `30 minutes`, `90 s`.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim().to_ascii_lowercase().as_str() {
        "s" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 60 * 60,
        "d" | "day" | "days" => 24 * 60 * 60,
        "w" | "week" | "weeks" => 7 * 24 * 60 * 60,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

/// The id in an id or URL of Notion, lower case with dashes. Of a URL the last part of the path counts, which
/// ends in the id; the query (`?v=` names a view) does not.
pub(super) fn notion_id(text: &str) -> Option<String> {
    let text = text.trim();
    let last = if text.contains("://") {
        let path = text.split(['?', '#']).next()?;
        path.trim_end_matches('/').rsplit('/').next()?
    } else {
        text
    };
    let last = if text.contains("://") && !last.is_empty() && dashed(last).is_none() {
        last.rsplit('-').next()?
    } else {
        last
    };
    dashed(last)
}

fn dashed(text: &str) -> Option<String> {
    let hex: String = text.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    let sound = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    let shaped = text.len() == 32
        || (text.len() == 36
            && [8, 13, 18, 23].iter().all(|n| text.as_bytes().get(*n) == Some(&b'-')));
    (sound && shaped)
        .then(|| [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The rules of `git check-ref-format`.
fn is_ref(text: &str) -> bool {
    let bad = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    text.starts_with("refs/")
        && text.matches('/').count() >= 2
        && !text.contains(bad)
        && !text.contains("..")
        && !text.contains("@{")
        && !text.ends_with('.')
        && text
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
}

fn mapping_hash(kinds: &Kinds, backends: &[BackendConfig]) -> String {
    let kinds: BTreeMap<&str, Value> = kinds
        .values()
        .map(|kind| {
            let properties: BTreeMap<&str, Value> = kind
                .properties
                .iter()
                .map(|property| {
                    let options: BTreeMap<_, _> = property.options.iter().cloned().collect();
                    let value = json!([
                        property.remote_name,
                        type_name(property.r#type),
                        source_name(&property.source),
                        options,
                        property.target,
                    ]);
                    (property.name.as_str(), value)
                })
                .collect();
            let format = match kind.format {
                Format::Markdown => "markdown",
                Format::Yaml => "yaml",
            };
            (
                kind.name.as_str(),
                json!([kind.folder, kind.id_pattern, kind.database, format, properties]),
            )
        })
        .collect();
    let databases: BTreeMap<&str, &BTreeMap<String, String>> = backends
        .iter()
        .filter_map(|backend| match backend {
            BackendConfig::Notion(notion) => Some((notion.name.as_str(), &notion.databases)),
            _ => None,
        })
        .collect();
    let digest = Sha256::digest(json!([1, kinds, databases]).to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn type_name(r#type: PropertyType) -> &'static str {
    match r#type {
        PropertyType::Title => "title",
        PropertyType::RichText => "rich_text",
        PropertyType::Select => "select",
        PropertyType::Date => "date",
        PropertyType::Relation => "relation",
    }
}

fn source_name(source: &Source) -> Value {
    match source {
        Source::Heading => json!(["heading"]),
        Source::Id => json!(["id"]),
        Source::Section(names) => json!(["section", names]),
        Source::Key(name) => json!(["key", name]),
        Source::References(name) => json!(["references", name]),
    }
}
