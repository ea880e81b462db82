use std::fs;

use super::*;

const PAGE: &str = "0123456789abcdef0123456789abcdef";
const PAGE_ID: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn env(name: &str) -> Option<String> {
    match name {
        "PAGE" => Some(PAGE.to_owned()),
        "EMPTY" => Some(String::new()),
        "TOKEN" => Some("ntn_ENVIRONMENTSECRET123".to_owned()),
        "GITHUB_REPOSITORY" => Some("org/repo".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    settings::parse(PathBuf::from("agent-sync.yml"), text, &env)
}

fn notion(config: &Config) -> &NotionConfig {
    config
        .backends
        .iter()
        .find_map(|b| if let BackendConfig::Notion(n) = b { Some(n) } else { None })
        .unwrap()
}

/// Asserts that exactly one problem is found, and gives it as text.
fn problem(text: &str) -> String {
    let error = parse(text).unwrap_err();
    assert_eq!(error.problems.len(), 1, "{error}");
    error.to_string()
}

#[test]
fn an_empty_file_is_the_preset_with_notion() {
    let config = parse("version: 1\n").unwrap();
    assert_eq!(
        config.kinds.keys().collect::<Vec<_>>(),
        ["adr", "journey", "plan", "runbook", "story"]
    );
    let notion = notion(&config);
    assert_eq!(
        (notion.name.as_str(), notion.requests_per_minute, notion.settle_seconds),
        ("notion", 180, 60)
    );
    assert_eq!(notion.share, ["story", "plan", "adr", "runbook"]);
    assert_eq!(
        (notion.assign_ids, notion.auto_init, notion.parent_page.as_deref()),
        (false, false, None)
    );
    assert_eq!(config.state.reference, "refs/agent-sync/state");
    assert_eq!((config.limits.max_delete.get(), config.limits.max_change.get()), (10, 50));
    assert_eq!(config.full_every, Duration::from_secs(86_400));
    assert_eq!(config.publish, Publish::PullRequest);
    assert_eq!(config.repository.url.as_deref(), Some("https://github.com/org/repo"));
    assert!(parse("").is_ok());
}

#[test]
fn the_preset_is_the_documented_table() {
    let kinds = parse("").unwrap().kinds;
    let summary: Vec<String> = kinds
        .values()
        .map(|k| {
            let properties: Vec<String> = k
                .properties
                .iter()
                .map(|p| format!("{} {:?} {:?} {}", p.name, p.r#type, p.source, p.options.len()))
                .collect();
            format!(
                "{} {} {} {} {}\n  {}",
                k.name,
                k.folder,
                k.file,
                k.id_pattern,
                k.database,
                properties.join("\n  ")
            )
        })
        .collect();
    insta::assert_snapshot!(summary.join("\n"));
    let id = |kind: &str, name: &str| {
        kinds[kind].file_id.captures(name).and_then(|c| c.get(1)).map(|m| m.as_str().to_owned())
    };
    assert_eq!(id("adr", "EXC-7-x.md").as_deref(), Some("EXC-7"));
    assert_eq!(id("story", "INFRA-054.md").as_deref(), Some("INFRA-054"));
    assert_eq!(id("story", "INFRA-054x.md"), None);
    assert_eq!(id("story", "README.md"), None);
}

#[test]
fn kinds_are_merged_over_the_preset() {
    let config = parse(
        r#"
kinds:
  story:
    properties:
      Title: {notion: Name}
      Status: {notion: Stage, options: {TO_DO: "To do", ICEBOX: Icebox}}
      Priority: {type: select, from: {front_matter: priority}, options: [Low, Medium, High, Critical]}
      Type: false
  journey: false
  plan:
  spec:
    folder: ./docs/specs/
    id: 'SPEC-\d+'
    properties:
      Owner: {type: rich_text, from: {section: Owner}}
      Story: {type: relation, from: {references: Stories}, target: story}
"#,
    )
    .unwrap();
    assert_eq!(config.kinds.keys().collect::<Vec<_>>(), ["adr", "runbook", "spec", "story"]);
    let story = &config.kinds["story"];
    let names: Vec<&str> = story.properties.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(
        names,
        ["Title", "ID", "Status", "Priority", "Linked ADRs"],
        "the relation to plans went with them"
    );
    assert_eq!(story.title().unwrap().remote_name, "Name");
    let status = story.property("Status").unwrap();
    assert_eq!((status.remote_name.as_str(), status.options.len()), ("Stage", 11));
    assert_eq!(status.option_of_remote("To do").unwrap().0, "TO_DO");
    assert_eq!(status.option_of_local("DONE").unwrap().1, "DONE");
    assert_eq!(story.property("Priority").unwrap().options.len(), 4);
    let spec = &config.kinds["spec"];
    assert_eq!(
        (spec.folder.as_str(), spec.database.as_str(), spec.file.as_str()),
        ("docs/specs", "Specs", "{id}-{slug}.md")
    );
    assert_eq!(
        spec.properties.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
        ["Title", "ID", "Owner", "Story"]
    );
    assert_eq!(
        notion(&config).share,
        ["story", "adr", "runbook"],
        "only what is named leaves the repository"
    );
}

#[test]
fn unknown_keys_are_errors_with_line_and_suggestion() {
    for (text, want) in [
        (
            "version: 1\nbackend: {}\n",
            "agent-sync.yml:2: Unknown key `backend`. Did you mean `backends`?",
        ),
        (
            "# c\nbackends:\n  notion:\n    type: notion\n\n    parentpage: x\n",
            "agent-sync.yml:6: Unknown key `backends.notion.parentpage`. Did you mean `parent_page`?",
        ),
        (
            "kinds:\n  story:\n    properties:\n      Status: {options: [A], notoin: B}\n",
            "agent-sync.yml:4: Unknown key `kinds.story.properties.Status.notoin`. Did you mean `notion`?",
        ),
        (
            "limits: {\n  zzz: 1}\n",
            "agent-sync.yml:2: Unknown key `limits.zzz`. Known here: max_change, max_delete.",
        ),
    ] {
        let mut got = problem(text);
        if got.contains("Known here: max_delete") {
            got = got.replace("max_delete, max_change", "max_change, max_delete");
        }
        assert_eq!(got, want);
    }
}

#[test]
fn wrong_types_and_words_are_errors_with_their_line() {
    for (text, want) in [
        (
            "kinds:\n  story:\n    folder: [a]\n",
            "agent-sync.yml:3: `kinds.story.folder` must be a text, but is a list.",
        ),
        ("version: one\n", "agent-sync.yml:1: `version` must be a whole number, but is a text."),
        ("version: 2\n", "agent-sync.yml:1: This version of the format is not known."),
        (
            "publish: pull_request\n",
            "agent-sync.yml:1: `publish` must be one of pull-request, push, none. Did you mean `pull-request`?",
        ),
        ("publish: [push]\n", "agent-sync.yml:1: `publish` must be one of"),
        (
            "backends:\n  n:\n    type: notoin\n",
            "agent-sync.yml:3: `backends.n.type` must be one of notion, sqlite, postgres. Did you mean `notion`?",
        ),
        ("backends:\n  n:\n    path: x\n", "agent-sync.yml:2: `backends.n` has no `type`."),
        ("backends:\n  n: {type: sqlite}\n", "agent-sync.yml:2: `backends.n` has no `path`."),
        (
            "backends:\n  n: {type: notion,\n    share: [story,\n      3]}\n",
            "agent-sync.yml:3: `backends.n.share[1]` must be a text",
        ),
        (
            "kinds:\n  story: 3\n",
            "agent-sync.yml:2: `kinds.story` must be true or false or a mapping, but is a number.",
        ),
        (
            "kinds:\n  story:\n    properties:\n      Status: {from: headline}\n",
            "agent-sync.yml:4: `kinds.story.properties.Status.from` must be",
        ),
        ("- a\n", "agent-sync.yml: the file must be a mapping, but is a list."),
        ("a: b: c\n", "agent-sync.yml:1: The file is no YAML:"),
        ("state:\n  keep_days: 5000000000\n", "agent-sync.yml:2: `state.keep_days` is too large."),
        ("state:\n  keep_days: -1\n", "agent-sync.yml:2: `state.keep_days` is too small."),
        ("version: 1\nversion: 1\n", "agent-sync.yml"),
    ] {
        let got = problem(text);
        assert!(got.starts_with(want), "{got}\n{want}");
    }
}

#[test]
fn places_are_found_by_indentation_and_in_flow_collections() {
    use locate::{Step, line_of};
    let text = "# a: 0\n\na:\n  - x: 1\n    y: 2\n  -\n    y: 3\n\"b\": {c: {d: 1},\n  e: [1, {f: 2}]}\na2:\n- 1\n- 2\n";
    let line = |path: &[&str]| {
        let step = |s: &&str| s.parse().map_or_else(|_| Step::Key((*s).to_owned()), Step::Index);
        line_of(text, &path.iter().map(step).collect::<Vec<_>>())
    };
    for (path, want) in [
        (&["a"][..], Some(3)),
        (&["a", "1"], Some(6)),
        (&["a", "1", "y"], Some(7)),
        (&["b", "c", "d"], Some(8)),
        (&["b", "e", "1", "f"], Some(9)),
        (&["b", "none"], Some(8)),
        (&["none"], None),
        (&[], None),
    ] {
        assert_eq!(line(path), want, "{path:?}");
    }
}

#[test]
fn several_problems_are_told_at_once() {
    let error = parse("backend: 1\nlimits:\n  max_delete: 3\nfull_every: 1\n").unwrap_err();
    let lines: Vec<Option<usize>> = error.problems.iter().map(|p| p.line).collect();
    assert_eq!(lines, [Some(1), Some(3), Some(4)]);
}

#[test]
fn rules_of_values_have_lines() {
    for (text, want) in [
        ("limits: {max_delete: 101%}\n", ":1: This is no share."),
        ("full_every: often\n", ":1: This is no length of time."),
        ("state:\n  ref: heads/x\n", ":2: This is no name of a git ref."),
        ("state:\n  ref: refs/a/../b\n", ":2: This is no name of a git ref."),
        (
            "repository: {default_branch: main}\nstate:\n  ref: refs/heads/main\n",
            ":3: The state cannot live",
        ),
        ("state:\n  ref: refs/tags/v1\n", ":2: The state cannot live"),
        ("repository:\n  url: git@github.com:a/b\n", ":2: The repository's address"),
        (
            "backends:\n  n:\n    type: notion\n    share: [storry]\n",
            ":4: There is no kind `storry`. Did you mean `story`?",
        ),
        ("backends:\n  n:\n    type: notion\n    share: []\n", ":4: No kind is shared"),
        (
            "backends:\n  n:\n    type: notion\n    databases:\n      story: x\n",
            ":5: This is no id or URL",
        ),
        (
            "backends:\n  n:\n    type: notion\n    databases:\n      stori: 0123456789abcdef0123456789abcdef\n",
            ":5: There is no kind `stori`. Did you mean `story`?",
        ),
        ("backends:\n  n:\n    type: notion\n    parent_page: x\n", ":4: The parent page"),
        (
            "backends:\n  p:\n    type: postgres\n    url_env: a-b\n",
            ":4: This is no name of an environment variable.",
        ),
        ("backends: {}\n", ":1: No backend is configured."),
        ("preset: none\nbackends: {c: {type: sqlite, path: x}}\n", ": No kind is configured."),
        ("kinds:\n  stori: false\n", ":2: The preset has no kind `stori`. Did you mean `story`?"),
        ("kinds:\n  story:\n    folder: ../x\n", ":3: The folder is no path"),
        ("kinds:\n  story:\n    folder: .git/x\n", ":3: The folder is no path"),
        (
            "kinds:\n  story:\n    folder: .agent/adrs\n",
            ":3: The kinds adr and story have the same folder.",
        ),
        (
            "kinds:\n  story:\n    file: '{slug}-{id}.md'\n",
            ":3: The file's name must begin with {id}.",
        ),
        ("kinds:\n  story:\n    file: '../{id}.md'\n", ":3: The file is no path"),
        (
            "kinds:\n  story:\n    file: '{id}-{title}.md'\n",
            ":3: The file has an unknown placeholder.",
        ),
        ("kinds:\n  story:\n    id: '[A-Z'\n", ":3: The id's pattern is no regular expression."),
        ("kinds:\n  story:\n    id: '^A$'\n", ":3: The id's pattern has an anchor."),
        ("kinds:\n  story:\n    id: 'A*'\n", ":3: The id's pattern matches the empty text."),
        (
            "kinds:\n  story:\n    properties:\n      Title: false\n",
            ":3: A kind needs exactly one property of type title.",
        ),
        (
            "kinds:\n  story:\n    properties:\n      X: {from: {front_matter: x}}\n",
            ":4: The property has no `type`.",
        ),
        (
            "kinds:\n  story:\n    properties:\n      X: {type: date}\n",
            ":4: The property has no `from`.",
        ),
        (
            "kinds:\n  story:\n    properties:\n      X: {type: date, from: {key: a, section: b}}\n",
            ":4: `from` must name exactly one",
        ),
        (
            "kinds:\n  story:\n    properties:\n      X: {type: date, from: heading}\n",
            ":4: A property of this type",
        ),
        (
            "kinds:\n  story:\n    properties:\n      Priority: {options: [A, a]}\n",
            ":4: Two options are the same",
        ),
        (
            "kinds:\n  story:\n    properties:\n      Type: {notion: Status}\n",
            ":4: Two properties have this name",
        ),
    ] {
        let got = problem(text);
        assert!(got.contains(want), "{got}\n{want}");
    }
}

#[test]
fn variables_are_expanded_and_unset_ones_count_as_not_given() {
    let page = |value: &str| {
        parse(&format!("backends:\n  n:\n    type: notion\n    parent_page: {value}\n")).unwrap()
    };
    assert_eq!(notion(&page("${PAGE}")).parent_page.as_deref(), Some(PAGE_ID));
    assert_eq!(notion(&page("${UNSET}")).parent_page, None);
    assert_eq!(notion(&page("${EMPTY}")).parent_page, None);
    assert!(
        problem("backends:\n  c:\n    type: sqlite\n    path: ${UNSET}\n")
            .contains("has no `path`")
    );
    assert!(problem("publish: ${PAGE}\n").contains("must be one of"));
    let kept = parse("backends:\n  c:\n    type: sqlite\n    path: a${PAGE}\n").unwrap();
    assert!(matches!(&kept.backends[0], BackendConfig::Sqlite { path, .. } if path == "a${PAGE}"));
}

#[test]
fn the_environment_names_the_parent_page_of_the_only_notion_backend() {
    let env = |name: &str| (name == "NOTION_PARENT_PAGE_ID").then(|| "f".repeat(32));
    let load = |text: &str| settings::parse(PathBuf::from("x"), text, &env).unwrap();
    let given = "backends:\n  a: {type: notion, parent_page: 0123456789abcdef0123456789abcdef}\n";
    assert!(notion(&load("")).parent_page.as_deref().unwrap().starts_with("ffffffff-"));
    assert!(notion(&load(given)).parent_page.as_deref().unwrap().starts_with("ffffffff-"));
    let two = load(&format!("{given}  b: {{type: notion}}\n"));
    assert_eq!(two.backends.iter().map(BackendConfig::name).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(notion(&two).parent_page.as_deref(), Some(PAGE_ID));
}

#[test]
fn ids_are_taken_from_urls() {
    for text in [
        PAGE.to_owned(),
        PAGE_ID.to_uppercase(),
        format!(
            "https://www.notion.so/team/Some-Title-abc-{PAGE}?v=ffffffffffffffffffffffffffffffff#x"
        ),
        format!("https://app.notion.com/p/{PAGE}"),
        format!("https://www.notion.so/{PAGE_ID}/"),
    ] {
        assert_eq!(backends::notion_id(&text).as_deref(), Some(PAGE_ID), "{text}");
    }
    for text in [
        "",
        "x",
        "https://",
        "https://www.notion.so/Title",
        "0123-456789abcdef0123456789abcdef",
        "é".repeat(16).as_str(),
    ] {
        assert_eq!(backends::notion_id(text), None, "{text}");
    }
}

#[test]
fn secrets_in_the_file_are_errors_that_do_not_show_them() {
    for secret in [
        "ntn_1234567890SECRETabc",
        "secret_SECRETSECRETSECRETSECRET",
        "postgres://user:SECRET@host/db",
        "postgresql://u:SECRET@host",
        "ghp_SECRETSECRETSECRET12",
    ] {
        for text in [
            format!("version: 1\nbackends: {{n: {{type: notion, parent_page: {secret}}}}}\n"),
            format!("version: 1\n{secret}: 1\n"),
            format!("version: 1\n# {secret}\n"),
            format!("version: 1\njanitor: {{rules: [\"{secret}\"]}}\n"),
        ] {
            let got = problem(&text);
            assert!(
                got.starts_with("agent-sync.yml:2: This line holds what looks like a secret."),
                "{got}"
            );
            assert!(!got.contains("SECRET"), "{got}");
        }
    }
    let got = problem("version: 1\nrepository: {url: \"${TOKEN}\"}\n");
    assert!(
        got.starts_with("agent-sync.yml:2:") && got.contains("TOKEN") && !got.contains("ntn_"),
        "{got}"
    );
    assert!(parse("repository: {url: 'https://github.com/secret_santa/x'}\n").is_ok());
}

#[test]
fn the_file_is_looked_for_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let error = Config::load(root, None, &env).unwrap_err();
    assert!(error.to_string().contains("parent_page: ${NOTION_PARENT_PAGE_ID}"), "{error}");
    for place in PLACES.iter().rev() {
        fs::create_dir_all(root.join(place).parent().unwrap()).unwrap();
        fs::write(root.join(place), "version: 1\n").unwrap();
        assert_eq!(Config::load(root, None, &env).unwrap().file, PathBuf::from(place));
    }
    fs::write(root.join("other.yml"), "\u{feff}version: 1\n").unwrap();
    assert_eq!(
        Config::load(root, Some(Path::new("other.yml")), &env).unwrap().file,
        PathBuf::from("other.yml")
    );
    let error = Config::load(root, Some(Path::new("none.yml")), &env).unwrap_err();
    assert!(error.to_string().starts_with("none.yml: The file does not exist."));
    fs::write(root.join("other.yml"), [0xff]).unwrap();
    assert!(
        Config::load(root, Some(Path::new("other.yml")), &env)
            .unwrap_err()
            .to_string()
            .contains("not UTF-8")
    );
}

#[test]
fn the_mapping_hash_moves_with_the_meaning_only() {
    let hash = |text: &str| parse(text).unwrap().mapping_hash;
    let base = hash("");
    assert_eq!(base.len(), 64);
    for same in [
        "limits: {max_delete: 1%}",
        "publish: none",
        "backends: {notion: {type: notion, share: [adr]}}",
        "kinds: {story: {file: '{id}.md'}}",
    ] {
        assert_eq!(hash(same), base, "{same}");
    }
    for other in [
        "kinds: {story: {folder: x}}",
        "kinds: {journey: false}",
        "kinds: {story: {properties: {Title: {notion: Name}}}}",
        "kinds: {story: {properties: {Status: {options: {TO_DO: To do}}}}}",
        "backends: {notion: {type: notion, databases: {story: 0123456789abcdef0123456789abcdef}}}",
    ] {
        assert_ne!(hash(other), base, "{other}");
    }
}

#[test]
fn the_schema_is_the_published_one() {
    let schema = schema();
    assert_eq!(schema["title"], "agent-sync.yml");
    assert_eq!(schema["additionalProperties"], false);
    insta::assert_snapshot!(serde_json::to_string_pretty(&schema).unwrap());
}

#[test]
fn the_documented_example_is_valid() {
    let text = r#"
version: 1
repository: {url: https://github.com/org/repo, default_branch: main, private: false}
preset: agent
backends:
  notion:
    type: notion
    parent_page: ${NOTION_PARENT_PAGE_ID}
    databases: {}
    requests_per_minute: 180
    markdown_version: v1
    share: [story, plan, adr, runbook]
  cache:
    type: sqlite
    path: .agent-sync/cache.db
  supabase:
    type: postgres
    url_env: SUPABASE_DB_URL
    schema: agent_sync
limits: {max_delete: 10%, max_change: 50%}
full_every: 1 day
publish: pull-request
state: {ref: refs/agent-sync/state, keep_days: 365}
janitor:
  rules: {orphan-story: warning, missing-field: error, broken-reference: error}
"#;
    let config = parse(text).unwrap();
    let names: Vec<&str> = config.backends.iter().map(BackendConfig::name).collect();
    assert_eq!(names, ["notion", "cache", "supabase"]);
    assert_eq!(config.janitor.rules.len(), 3);
    assert_eq!(config.repository.private, Some(false));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).{0,120}", lines in proptest::collection::vec("[ ]{0,4}(kinds|story|backends|n|- a|x): ?[{\\[\\]}a,:]{0,4}", 0..8)) {
        let _ = parse(&text);
        let _ = parse(&lines.join("\n"));
    }
}

#[test]
fn the_grammar_of_page_bodies_is_v1_unless_told_otherwise() {
    use agent_sync_core::markdown::Dialect;
    for (text, wanted) in [
        ("", Dialect::NotionV1),
        ("\n    markdown_version: v1", Dialect::NotionV1),
        ("\n    markdown_version: v2", Dialect::NotionV2),
    ] {
        let config = parse(&format!("backends:\n  n:\n    type: notion{text}\n")).unwrap();
        let BackendConfig::Notion(notion) = &config.backends[0] else { panic!("{config:?}") };
        assert_eq!(notion.dialect, wanted, "{text}");
        assert_eq!(
            config.mapping_hash,
            parse("backends: {n: {type: notion}}").unwrap().mapping_hash
        );
    }
    assert!(parse("backends:\n  n:\n    type: notion\n    markdown_version: v3\n").is_err());
}

fn with_property(property: &str) -> String {
    format!("version: 1\nkinds:\n  story:\n    properties:\n      P: {property}\n")
}

#[test]
fn every_type_of_property_can_be_configured() {
    use agent_sync_core::kind::PropertyType;
    for r#type in PropertyType::ALL {
        if r#type == PropertyType::Title {
            continue;
        }
        let target = if r#type == PropertyType::Relation { ", target: story" } else { "" };
        let name = r#type.name();
        let text = with_property(&format!("{{type: {name}, from: {{front_matter: p}}{target}}}"));
        let config = parse(&text).unwrap();
        assert_eq!(config.kinds["story"].property("P").unwrap().r#type, r#type);
    }
}

#[test]
fn a_type_that_cannot_live_at_a_place_or_has_no_options_is_a_problem() {
    for (property, says) in [
        ("{type: people, from: {section: P}}", "cannot live there"),
        ("{type: multi_select, from: {references: P}}", "cannot live there"),
        ("{type: created_time, from: {section: P}}", "cannot live there"),
        ("{type: number, from: {front_matter: p}, options: [a]}", "have `options`"),
        ("{type: status, from: {front_matter: p}, allow_new_options: true}", "gets no new options"),
        ("{from: {front_matter: p}}", "multi_select, status, date, people"),
    ] {
        let text = problem(&with_property(property));
        assert!(text.contains(says) && text.contains(":5"), "{text}");
    }
    for property in [
        "{type: number, from: {section: P}}",
        "{type: status, from: {section: P}, options: [a, b]}",
        "{type: multi_select, from: {front_matter: p}, options: {a: A}, allow_new_options: true}",
    ] {
        assert!(parse(&with_property(property)).is_ok(), "{property}");
    }
}

#[test]
fn files_keep_their_names_unless_told_otherwise() {
    use agent_sync_core::kind::Rename;
    let config = parse("kinds:\n  story: {rename: follow}\n  plan: {rename: keep}\n").unwrap();
    let of = |name: &str| config.kinds[name].rename;
    assert_eq!([of("story"), of("plan"), of("adr")], [Rename::Follow, Rename::Keep, Rename::Keep]);
    let plain = parse("kinds:\n  plan: {}\n").unwrap();
    assert_eq!(plain.mapping_hash, config.mapping_hash, "it changes no meaning of the state");
    assert!(parse("kinds:\n  story: {rename: always}\n").is_err());
}

#[test]
fn the_janitor_is_told_rules_what_to_ignore_and_when_work_is_stale() {
    use agent_sync_core::model::Severity;
    let config = parse(
        "janitor:\n  rules: {orphan-story: off, missing-field: error}\n  stale_days: 7\n  ignore:\n    - \
         {rule: diverged, artifact: story/A-1, reason: known}\n",
    )
    .unwrap();
    let janitor = &config.janitor;
    assert_eq!(janitor.rules["orphan-story"], None);
    assert_eq!(janitor.rules["missing-field"], Some(Severity::Error));
    assert_eq!((janitor.stale_days, janitor.ignore.len()), (7, 1));
    assert_eq!(parse("").unwrap().janitor, crate::janitor::Settings::default());
    for (text, want) in [
        (
            "janitor:\n  rules:\n    orphan-stroy: off\n",
            ":3: Unknown key `janitor.rules.orphan-stroy`. Did you mean `orphan-story`?",
        ),
        (
            "janitor:\n  rules: {diverged: loud}\n",
            ":2: `janitor.rules.diverged` must be one of off,",
        ),
        (
            "janitor:\n  ignore:\n    - {rule: divergd, artifact: x, reason: y}\n",
            ":3: `janitor.ignore[0].rule` must be one of",
        ),
        ("janitor:\n  ignore:\n    - {rule: diverged, artifact: x}\n", "has no `reason`"),
        (
            "janitor:\n  ignore:\n    - {rule: diverged, artifact: x, reason: ' '}\n",
            ":3: Nobody can tell why this is ignored.",
        ),
        ("janitor: {stale: 3}\n", ":1: Unknown key `janitor.stale`."),
    ] {
        let got = problem(text);
        assert!(got.contains(want), "{got}\n{want}");
    }
}
