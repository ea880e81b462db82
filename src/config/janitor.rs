//! The janitor's part of the file. The names of the rules are the rules' own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use agent_sync_core::model::Severity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::check::Fault;
use super::locate::Step;
use crate::janitor::{Ignored, RULES, Settings};

#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Janitor")]
pub(super) struct JanitorFile {
    /// Severities of rules by name, or off; docs/janitor.md has the rules.
    rules: Option<RulesFile>,
    /// Findings that people know of and live with.
    ignore: Option<Vec<IgnoredFile>>,
    /// Days without an edit after which work in progress is stale. Default: 30.
    stale_days: Option<u32>,
}

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ignored")]
struct IgnoredFile {
    /// The rule.
    rule: RuleName,
    /// `story/INFRA-054`, `INFRA-054`, the path of a file or the address of a page.
    artifact: String,
    /// Why.
    reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Level")]
enum LevelFile {
    /// The rule does not look.
    Off,
    /// Worth knowing; fails nothing.
    Notice,
    /// Likely wrong.
    Warning,
    /// Wrong.
    Error,
}

/// Name of a rule.
#[derive(Clone, Debug, serde::Deserialize)]
struct RuleName(String);

impl JsonSchema for RuleName {
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = RULES.iter().map(|rule| rule.name()).collect();
        json_schema!({"type": "string", "enum": names})
    }
}

#[derive(Clone, Debug, Default, serde::Deserialize)]
struct RulesFile(BTreeMap<String, LevelFile>);

impl JsonSchema for RulesFile {
    fn schema_name() -> Cow<'static, str> {
        "Rules".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let level = generator.subschema_for::<LevelFile>();
        let rules = RULES.iter().map(|rule| (rule.name().to_owned(), level.clone().to_value()));
        let rules: serde_json::Map<String, serde_json::Value> = rules.collect();
        json_schema!({"type": "object", "properties": rules, "additionalProperties": false})
    }
}

/// The settings, with what no schema can say.
pub(super) fn settings(raw: Option<&JanitorFile>, faults: &mut Vec<Fault>) -> Settings {
    let raw = raw.cloned().unwrap_or_default();
    let default = Settings::default();
    let severity = |level| match level {
        LevelFile::Off => None,
        LevelFile::Notice => Some(Severity::Notice),
        LevelFile::Warning => Some(Severity::Warning),
        LevelFile::Error => Some(Severity::Error),
    };
    let rules = raw.rules.unwrap_or_default().0.into_iter();
    let ignore = raw.ignore.unwrap_or_default();
    for (index, one) in ignore.iter().enumerate() {
        if one.reason.trim().is_empty() {
            let key = |name: &str| Step::Key(name.to_owned());
            faults.push(Fault {
                path: vec![key("janitor"), key("ignore"), Step::Index(index)],
                message: "Nobody can tell why this is ignored.".to_owned(),
                hint: "Give a reason.".to_owned(),
            });
        }
    }
    let ignored =
        |IgnoredFile { rule: RuleName(rule), artifact, reason }| Ignored { rule, artifact, reason };
    Settings {
        rules: rules.map(|(name, level)| (name, severity(level))).collect(),
        ignore: ignore.into_iter().map(ignored).collect(),
        stale_days: raw.stale_days.unwrap_or(default.stale_days),
    }
}
