//! The page about the rules, `docs/janitor.md`.

use agent_sync_core::model::Severity;

use super::{RULES, Settings};

/// The page in Markdown.
pub fn page() -> String {
    let mut out = format!(
        "# The janitor\n\n\
         Made from the rules themselves (`src/janitor/rules/`) and kept by `tests/janitor.rs`.\n\n\
         `agent-sync janitor` looks at all artifacts of both sides and says where they do not hang together. It reads \
         every database's list and schema, no page's body that the state knows already, and writes nothing. With \
         `--full` it reads every body, at the pace of the rate limit. `--fix` repairs what can be repaired without \
         deciding anything for people, in the way of a sync: under the lease, conditionally, what it replaces is kept, \
         and files reach the default branch as `publish` says. What a sync still has to bring is left for the run after \
         it. `--fix --dry-run` says what would be repaired.\n\n\
         It ends with exit code 1 where it finds something of severity warning or error (`--fail-on never`: not; with \
         `--fix --dry-run` and `--fail-on change`: where there is something to repair). In a scheduled job `auto` runs it after the \
         sync.\n\n\
         A rule's severity is changed in the configuration (`off`, `notice`, `warning`, `error`), and a finding that \
         people live with is ignored there, with a reason. `artifact` is `story/INFRA-054`, `INFRA-054`, the path of a \
         file, or the address of a page.\n\n\
         ```yaml\n\
         janitor:\n  \
           rules: {{orphan-story: off, missing-field: error}}\n  \
           ignore:\n    \
             - {{rule: stale-status, artifact: story/INFRA-054, reason: waits for the vendor}}\n  \
           stale_days: {}\n\
         ```\n\n\
         A file allows a rule to be broken in it by a comment with a reason, which stays in the file:\n\n\
         ```markdown\n\
         <!-- agent-sync: allow orphan-story a spike, thrown away afterwards -->\n\
         ```\n\n\
         In front matter and in YAML it is `# agent-sync: allow RULE reason`.\n\n\
         ## Rules\n\n\
         | rule | severity | finds | `--fix` |\n|---|---|---|---|\n",
        Settings::default().stale_days
    );
    for rule in RULES {
        out.push_str(&format!(
            "| [`{0}`](#{0}) | {1} | {2} | {3} |\n",
            rule.name(),
            severity(rule.severity()),
            rule.finds(),
            if rule.remedy().is_some() { "yes" } else { "" }
        ));
    }
    for rule in RULES {
        out.push_str(&format!("\n### {}\n\n{}\n", rule.name(), rule.reason()));
        if let Some(remedy) = rule.remedy() {
            out.push_str(&format!("\n`--fix`: {remedy}\n"));
        }
    }
    out.push_str(
        "\n## Other findings\n\nWhat every run finds under another name (`no-id`, `malformed-id`, `id-changed`, \
         `page-away`, `private-image`, `schema-drift` and others) is told by the janitor as well; it has no settings.\n",
    );
    out
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "notice",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}
