//! From the file's own types to the configuration: defaults, environment, and rules that no schema can say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use agent_sync_core::kind::{Format, Kinds, Source};
use serde_json::{Value, json};

use super::check::{self, Fault};
use super::error::{ConfigError, Problem};
use super::file::{File, LimitsFile, Ordered, Preset, RepositoryFile, StateFile};
use super::locate::{Step, line_of};
use super::{
    BackendConfig, Config, Limits, Percent, Publish, Repository, StateConfig, backends, janitor,
    kinds, source,
};

pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

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

pub(super) fn fault(
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
    let (kinds, designs) = kinds::build(preset, raw.kinds.as_ref().unwrap_or(&none), faults);
    if kinds.is_empty() && faults.is_empty() {
        fault(
            faults,
            &["kinds"],
            "No kind is configured.",
            "Use `preset: agent`, or describe a kind under `kinds:`.",
        );
    }
    let mut backends = backends::backends(raw, &kinds, env, faults);
    for backend in &mut backends {
        if let BackendConfig::Notion(notion) = backend {
            notion.designs.clone_from(&designs);
        }
    }
    let state = state(raw.state.as_ref(), faults);
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
        designs,
        repository: repository(raw.repository.as_ref(), env, faults),
        limits,
        full_every,
        publish: raw.publish.unwrap_or(Publish::PullRequest),
        state,
        janitor: janitor::settings(raw.janitor.as_ref(), faults),
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

/// Where branches, tags and the like are.
const PEOPLES_REFS: [&str; 5] =
    ["refs/heads/", "refs/tags/", "refs/remotes/", "refs/notes/", "refs/replace/"];

fn state(raw: Option<&StateFile>, faults: &mut Vec<Fault>) -> StateConfig {
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
    if PEOPLES_REFS.iter().any(|prefix| reference.starts_with(prefix)) {
        fault(
            faults,
            &["state", "ref"],
            "The state cannot live in a branch, a tag or another ref of people or of git.",
            "Name another ref, e.g. `refs/agent-sync/state`.",
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
                        property.r#type.name(),
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
    crate::hex::digest(json!([1, kinds, databases]).to_string().as_bytes())
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
