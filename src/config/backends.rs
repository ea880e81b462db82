//! The configured backends, with defaults and the environment.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::Kinds;
use agent_sync_core::markdown::Dialect;

use super::check::{Fault, nearest};
use super::file::{BackendFile, File, MarkdownVersion, Ordered};
use super::locate::Step;
use super::settings::{Env, fault};
use super::{BackendConfig, NotionConfig};

/// Kinds that leave the repository unless the configuration says otherwise.
const SHARED: [&str; 4] = ["story", "plan", "adr", "runbook"];

/// All backends, in the order of the file; Notion where the file names none.
pub(super) fn backends(
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
            backoff_ms: None,
            read_timeout_ms: None,
            write_timeout_ms: None,
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
            BackendFile::Sqlite { path, share } => {
                if path.trim().is_empty() {
                    fault(
                        faults,
                        &["backends", name, "path"],
                        "The path is empty.",
                        "Name a file.",
                    );
                }
                let share = shared(name, share.as_deref(), kinds, faults);
                BackendConfig::Sqlite { name: name.clone(), path: path.clone(), share }
            }
            BackendFile::Postgres { url_env, schema, share } => {
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
                let share = shared(name, share.as_deref(), kinds, faults);
                let (name, url_env) = (name.clone(), url_env.clone());
                BackendConfig::Postgres { name, url_env, schema, share }
            }
        });
    }
    backends
}

/// The kinds that a database keeps, without repetition.
fn shared(
    name: &str,
    share: Option<&[String]>,
    kinds: &Kinds,
    faults: &mut Vec<Fault>,
) -> Vec<String> {
    let usual: Vec<String> = SHARED.iter().map(|kind| (*kind).to_owned()).collect();
    for kind in share.unwrap_or_default().iter().filter(|kind| !kinds.contains_key(*kind)) {
        let meant = nearest(kind, kinds.keys().map(String::as_str));
        let hint = meant.map_or_else(
            || format!("Configured are {}.", kinds.keys().cloned().collect::<Vec<_>>().join(", ")),
            |meant| format!("Did you mean `{meant}`?"),
        );
        let message = format!("There is no kind `{kind}`.");
        fault(faults, &["backends", name, "share"], &message, &hint);
    }
    let mut seen = BTreeSet::new();
    let wanted = share.unwrap_or(&usual).iter();
    wanted.filter(|kind| kinds.contains_key(*kind) && seen.insert(*kind)).cloned().collect()
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
        designs: BTreeMap::new(),
        requests_per_minute: 180,
        dialect: Dialect::NotionV1,
        share: SHARED
            .iter()
            .filter(|kind| kinds.contains_key(**kind))
            .map(|k| (*k).to_owned())
            .collect(),
        assign_ids: false,
        auto_init: false,
        settle_seconds: 60,
        backoff_ms: 1000,
        read_timeout_ms: 60_000,
        write_timeout_ms: 25_000,
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
        backoff_ms,
        read_timeout_ms,
        write_timeout_ms,
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
    config.dialect = match markdown_version {
        Some(MarkdownVersion::V2) => Dialect::NotionV2,
        Some(MarkdownVersion::V1) | None => Dialect::NotionV1,
    };
    config.assign_ids = assign_ids.unwrap_or(false);
    config.auto_init = auto_init.unwrap_or(false);
    config.settle_seconds = settle_seconds.map_or(config.settle_seconds, u64::from);
    config.backoff_ms = backoff_ms.map_or(config.backoff_ms, u64::from);
    config.read_timeout_ms = read_timeout_ms.map_or(config.read_timeout_ms, u64::from);
    // Rule 11: a write must end well before the lease can lapse.
    config.write_timeout_ms =
        write_timeout_ms.map_or(config.write_timeout_ms, u64::from).min(25_000);
    config
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
