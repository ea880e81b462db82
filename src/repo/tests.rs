use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use agent_sync_core::kind::{Format, Kind, Kinds};
use agent_sync_core::model::Key;
use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::hex::digest;

fn kind(name: &str, folder: &str, file: &str, pattern: &str) -> Kind {
    Kind {
        name: name.to_owned(),
        folder: folder.to_owned(),
        file: file.to_owned(),
        id_pattern: pattern.to_owned(),
        file_id: Regex::new(&format!("^({pattern})(?:[-_. ]|$)")).unwrap(),
        rename: agent_sync_core::kind::Rename::Keep,
        database: name.to_owned(),
        format: if name == "journey" { Format::Yaml } else { Format::Markdown },
        properties: Vec::new(),
    }
}

fn story() -> Kind {
    kind("story", ".agent/stories", "{scope}/{id}-{slug}.md", r"[A-Z]+-\d+")
}

fn kinds() -> Kinds {
    [
        story(),
        kind("journey", ".agent/journeys", "{id}.yaml", r"JRN-\d+"),
        kind("note", ".agent/stories/notes", "{id}.md", r"[A-Z]+-\d+"),
    ]
    .into_iter()
    .map(|kind| (kind.name.clone(), kind))
    .collect()
}

struct Repo {
    folder: tempfile::TempDir,
    tree: Tree,
}

fn repo(files: &[(&str, &[u8])]) -> Repo {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(".git")).unwrap();
    for (path, bytes) in files {
        let full = folder.path().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, bytes).unwrap();
    }
    let tree = Tree::open(folder.path()).unwrap();
    Repo { folder, tree }
}

impl Repo {
    fn scan(&self) -> Scan {
        self.tree.scan(&kinds(), &["story", "journey"].map(str::to_owned).into())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
}

fn rules(scan: &Scan) -> Vec<(&str, &str)> {
    scan.findings.iter().map(|f| (f.rule.as_str(), f.path.as_deref().unwrap())).collect()
}

#[test]
fn artifacts_are_found_with_path_digest_and_size() {
    let repo = repo(&[
        (".agent/stories/INFRA/INFRA-1-x.md", b"# a"),
        (".agent/stories/WEB-2.markdown", b""),
        (".agent/stories/notes/INFRA-1.md", b"of another kind"),
        (".agent/journeys/JRN-1.yml", b"title: x"),
        ("INFRA-9.md", b"outside of the folders"),
    ]);
    let scan = repo.scan();
    assert_eq!(scan.findings, []);
    let keys: Vec<String> = scan.files.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["journey/JRN-1", "story/INFRA-1", "story/WEB-2"]);
    let entry = &scan.files[&Key::new("story", "INFRA-1")];
    assert_eq!(entry.path, ".agent/stories/INFRA/INFRA-1-x.md");
    assert_eq!((entry.bytes, entry.link), (3, false));
    assert_eq!(entry.digest, digest(b"# a"));
    assert_eq!(digest(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(scan.folders["story"], FolderState { exists: true, files: 2, incomplete: false });
    assert!(!scan.folders.contains_key("note"), "not shared");
}

#[test]
fn junk_is_ignored() {
    let repo = repo(&[
        (".agent/stories/.DS_Store", b"\xff"),
        (".agent/stories/.INFRA-1-x.md.swp", b""),
        (".agent/stories/.hidden/INFRA-1.md", b""),
        (".agent/stories/INFRA-1.png", b"\xff"),
        (".agent/stories/INFRA-1.md~", b""),
    ]);
    let scan = repo.scan();
    assert!(scan.files.is_empty() && scan.findings.is_empty());
}

#[test]
fn two_files_with_the_same_id_are_a_finding_and_neither_syncs() {
    let repo = repo(&[
        (".agent/stories/A-1-x.md", b""),
        (".agent/stories/A/A-1-y.md", b""),
        (".agent/stories/A-2.md", b""),
    ]);
    let scan = repo.scan();
    assert_eq!(scan.duplicates, BTreeSet::from([Key::new("story", "A-1")]));
    assert_eq!(scan.files.len(), 1);
    assert!(scan.has(&Key::new("story", "A-1")));
    let message = &scan.findings[0].message;
    assert!(message.contains("A-1-x.md") && message.contains("A/A-1-y.md"), "{message}");
    assert_eq!(scan.folders["story"].files, 3);
}

#[test]
fn files_that_cannot_be_read_are_findings_and_are_not_missing() {
    let large = vec![b'a'; usize::try_from(MAX_BYTES).unwrap() + 1];
    let repo = repo(&[
        (".agent/stories/README.md", b"no id"),
        (".agent/stories/A-1.md", b"\xff\xfe"),
        (".agent/stories/A-2.md", &large),
        (".agent/stories/A-3.md", &large[1..]),
        ("docs/inside.md", b"inside"),
        (".git/config", b"secret"),
    ]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x.md"), "outside").unwrap();
    symlink(outside.path().join("x.md"), repo.at(".agent/stories/A-4.md")).unwrap();
    symlink("../../docs/inside.md", repo.at(".agent/stories/A-5.md")).unwrap();
    symlink("nowhere", repo.at(".agent/stories/A-6.md")).unwrap();
    symlink("../../.git/config", repo.at(".agent/stories/A-7.md")).unwrap();
    let scan = repo.scan();
    let path = |n: u32| format!(".agent/stories/A-{n}.md");
    let want = [
        ("not-utf8", path(1)),
        ("too-large", path(2)),
        ("outside-repository", path(4)),
        ("unreadable-file", path(6)),
        ("outside-repository", path(7)),
        ("no-id", ".agent/stories/README.md".to_owned()),
    ];
    assert_eq!(rules(&scan), want.each_ref().map(|(rule, path)| (*rule, path.as_str())));
    let ids: Vec<&str> = scan.files.keys().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["A-3", "A-5"]);
    assert!(scan.files[&Key::new("story", "A-5")].link);
    assert_eq!(scan.unreadable.len(), 5);
    assert_eq!(scan.folders["story"].files, 7);
}

#[test]
fn linked_folders_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("A-1.md"), "outside").unwrap();
    let repo = repo(&[(".agent/stories/A-2.md", b"")]);
    symlink(outside.path(), repo.at(".agent/stories/out")).unwrap();
    symlink(".", repo.at(".agent/stories/loop")).unwrap();
    symlink(outside.path(), repo.at(".agent/journeys")).unwrap();
    let scan = repo.scan();
    assert_eq!(scan.files.len(), 1);
    assert_eq!(
        rules(&scan),
        [
            ("linked-folder", ".agent/journeys"),
            ("linked-folder", ".agent/stories/loop"),
            ("linked-folder", ".agent/stories/out"),
        ]
    );
    assert!(scan.folders["story"].incomplete, "what is missing may be there (rule 7)");
    assert_eq!(scan.folders["journey"], FolderState { exists: false, files: 0, incomplete: true });
    for path in [".agent/stories/out/A-1.md", ".agent/stories/loop/A-2.md"] {
        assert!(matches!(repo.tree.read(path), Err(ReadError::Outside { .. })), "{path}");
        assert!(
            matches!(repo.tree.write(path, "x", None), Err(WriteError::Outside { .. })),
            "{path}"
        );
        assert!(matches!(
            repo.tree.remove(path, &digest(b""), ".agent/stories"),
            Err(WriteError::Outside { .. })
        ));
    }
    assert_eq!(fs::read_to_string(outside.path().join("A-1.md")).unwrap(), "outside");
}

#[test]
fn a_missing_folder_is_told_from_an_empty_one() {
    let repo = repo(&[(".agent/stories/.gitkeep", b"")]);
    let folders = repo.scan().folders;
    assert_eq!(folders["story"], FolderState { exists: true, files: 0, incomplete: false });
    assert_eq!(folders["journey"], FolderState::default());
}

#[test]
fn no_path_leaves_the_repository() {
    let repo = repo(&[("a.md", b"a")]);
    for path in [
        "",
        "/etc/passwd",
        "../a.md",
        "x/../../a.md",
        "./a.md",
        "a//b.md",
        "a.md/",
        "x\\..\\a.md",
        "x\0.md",
        ".git/config",
        "x/.GIT/hooks/y",
        ".git./x",
        "git~1/x",
        "..",
    ] {
        assert!(matches!(repo.tree.read(path), Err(ReadError::Outside { .. })), "{path:?}");
        assert!(
            matches!(repo.tree.write(path, "x", None), Err(WriteError::Outside { .. })),
            "{path:?}"
        );
    }
    assert!(matches!(repo.tree.read("none/b.md"), Err(ReadError::NotFound { .. })));
    assert!(matches!(repo.tree.read("a.md/b.md"), Err(ReadError::Outside { .. })));
}

#[test]
fn a_write_replaces_only_what_was_read() {
    let repo = repo(&[("s/A-1.md", b"old")]);
    fs::set_permissions(repo.at("s/A-1.md"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(repo.tree.write("s/A-1.md", "new", None), Err(WriteError::Changed { .. })));
    assert!(matches!(
        repo.tree.write("s/A-1.md", "new", Some(&digest(b"x"))),
        Err(WriteError::Changed { .. })
    ));
    assert!(matches!(
        repo.tree.write("s/A-2.md", "new", Some(&digest(b""))),
        Err(WriteError::Changed { .. })
    ));
    assert_eq!(repo.tree.read("s/A-1.md").unwrap(), "old");
    repo.tree.write("s/A-1.md", "new", Some(&digest(b"old"))).unwrap();
    assert_eq!(repo.tree.read("s/A-1.md").unwrap(), "new");
    assert_eq!(fs::metadata(repo.at("s/A-1.md")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(repo.at("s")).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn a_new_file_gets_its_folders_and_the_usual_mode() {
    let repo = repo(&[]);
    repo.tree.write(".agent/stories/A/A-1.md", "é\r\n", None).unwrap();
    assert_eq!(repo.tree.read(".agent/stories/A/A-1.md").unwrap(), "é\r\n");
    fs::write(repo.at("usual"), "").unwrap();
    let mode = |path| fs::metadata(repo.at(path)).unwrap().permissions().mode();
    assert_eq!(mode(".agent/stories/A/A-1.md"), mode("usual"));
}

#[test]
fn links_are_never_written_through() {
    let repo = repo(&[("docs/x.md", b"x"), ("s/keep", b"")]);
    symlink("../docs/x.md", repo.at("s/A-1.md")).unwrap();
    assert_eq!(repo.tree.read("s/A-1.md").unwrap(), "x");
    let digest = digest(b"x");
    assert!(matches!(
        repo.tree.write("s/A-1.md", "new", Some(&digest)),
        Err(WriteError::Outside { .. })
    ));
    assert!(matches!(repo.tree.remove("s/A-1.md", &digest, "s"), Err(WriteError::Outside { .. })));
    assert_eq!(repo.tree.read("docs/x.md").unwrap(), "x");
}

#[test]
fn removing_takes_empty_folders_below_the_kinds_folder() {
    let repo = repo(&[("k/s/A/A-1.md", b"a"), ("k/s/B/A-2.md", b"b"), ("k/s/B/x", b"")]);
    assert!(matches!(
        repo.tree.remove("k/s/A/A-1.md", &digest(b"x"), "k/s"),
        Err(WriteError::Changed { .. })
    ));
    repo.tree.remove("k/s/A/A-1.md", &digest(b"a"), "k/s").unwrap();
    repo.tree.remove("k/s/B/A-2.md", &digest(b"b"), "k/s").unwrap();
    assert!(!repo.at("k/s/A").exists() && repo.at("k/s/B/x").exists());
    fs::remove_dir_all(repo.at("k/s/B")).unwrap();
    fs::write(repo.at("k/s/A-3.md"), "c").unwrap();
    repo.tree.remove("k/s/A-3.md", &digest(b"c"), "k/s").unwrap();
    assert!(repo.at("k/s").exists(), "the kind's folder stays (rule 7)");
}

#[test]
fn new_files_are_named_by_scope_id_and_title() {
    let free = |_: &str| false;
    let path = |title: &str| new_path(&story(), "INFRA-054", title, &free).unwrap();
    assert_eq!(path("Fix: the ../../Thing!"), ".agent/stories/INFRA/INFRA-054-fix-the-thing.md");
    assert_eq!(path("日本語"), ".agent/stories/INFRA/INFRA-054-story.md");
    assert_eq!(path(&"word ".repeat(50)).len(), ".agent/stories/INFRA/INFRA-054-.md".len() + 59);
    assert_eq!(path(&"x".repeat(500)).len(), ".agent/stories/INFRA/INFRA-054-.md".len() + 60);
    let taken = |path: &str| !path.ends_with("-3.md");
    assert_eq!(new_path(&story(), "A-1", "t", &taken).unwrap(), ".agent/stories/A/A-1-t-3.md");
    let runbook = kind("runbook", "r", "{scope}/{id}-runbook.md", r"[A-Z]+-\d+");
    assert_eq!(new_path(&runbook, "A-1", "t", &taken).unwrap(), "r/A/A-1-runbook-3.md");
    assert!(matches!(new_path(&story(), "A-1", "t", &|_| true), Err(PathError::Taken { .. })));
}

#[test]
fn ids_that_are_not_wholly_of_the_kind_make_no_file() {
    for id in ["", "a-1", "A-1-x", "A-1/../../x", "../A-1", "A-1\n", "A-1.md", " A-1", "A-1 "] {
        assert!(
            matches!(new_path(&story(), id, "t", &|_| false), Err(PathError::Id { .. })),
            "{id:?}"
        );
    }
    let lax = kind("lax", "f", "{scope}/{id}.md", r"[^x]+");
    for id in ["../a", "a/b", "..", ".git", "CON", "nul.1", "com1", "a\\b", "-rf", "a.", "a\0", "é"]
    {
        assert!(new_path(&lax, id, "t", &|_| false).is_err(), "{id:?}");
    }
    let upwards = kind("up", "f", "../{id}.md", r"[A-Z]+-\d+");
    assert!(matches!(new_path(&upwards, "A-1", "t", &|_| false), Err(PathError::Pattern { .. })));
}

proptest! {
    #[test]
    fn new_path_never_escapes(id in "(?s)[A-Z./\\\\-]{0,6}.{0,4}[0-9]{0,3}", title in "(?s).{0,80}", lax in any::<bool>()) {
        let kind = if lax { kind("lax", "a/b", "{scope}/{id}-{slug}.md", "(?s).+") } else { story() };
        if let Ok(path) = new_path(&kind, &id, &title, &|_| false) {
            let below = format!("{}/", kind.folder);
            prop_assert!(path.starts_with(&below));
            prop_assert!(path.split('/').all(paths::is_ordinary));
            prop_assert!(path.is_ascii() && path.len() < 400);
        }
    }
}

#[test]
fn an_entry_is_what_stands_inside_of_the_tree() {
    let repo = repo(&[("docs/a.md", b"a"), (".git/config", b"x")]);
    symlink("/etc", repo.folder.path().join("docs/etc")).unwrap();
    symlink("a.md", repo.folder.path().join("docs/b.md")).unwrap();
    symlink("../..", repo.folder.path().join("docs/up")).unwrap();
    let entry = |path: &str| repo.tree.entry(path);
    for path in ["docs/a.md", "docs/b.md"] {
        assert_eq!(entry(path), Some(Entry::File), "{path}");
    }
    for path in ["", "docs"] {
        assert_eq!(entry(path), Some(Entry::Folder), "{path}");
    }
    for path in [
        "no",
        "docs/",
        "/docs",
        "docs/../docs",
        "docs/etc",
        "docs/etc/passwd",
        "docs/up",
        ".git/config",
        ".git",
        "..",
    ] {
        assert_eq!(entry(path), None, "{path}");
    }
}

#[test]
fn a_file_is_renamed_whole_and_never_onto_another() {
    let repo = repo(&[("s/A/old.md", b"one"), ("s/B/other.md", b"two")]);
    let (one, tree) = (digest(b"one"), &repo.tree);
    assert!(matches!(
        tree.rename("s/A/old.md", "s/B/other.md", &one, "s"),
        Err(WriteError::Changed { path }) if path == "s/B/other.md"
    ));
    assert!(
        tree.is_taken("s/B/other.md", "s/A/old.md") && !tree.is_taken("s/C/x.md", "s/A/old.md")
    );
    for to in ["../x.md", "s/.git/x.md", "s/B/other.md/x.md", "s//x.md"] {
        assert!(tree.is_taken(to, "s/A/old.md"), "{to}");
        assert!(tree.rename("s/A/old.md", to, &one, "s").is_err(), "{to}");
    }
    assert!(matches!(
        tree.rename("s/A/old.md", "s/C/new.md", &digest(b"what was read"), "s"),
        Err(WriteError::Changed { path }) if path == "s/A/old.md"
    ));
    fs::set_permissions(repo.at("s/A/old.md"), fs::Permissions::from_mode(0o640)).unwrap();
    tree.rename("s/A/old.md", "s/C/D/new.md", &one, "s").unwrap();
    assert_eq!(fs::read(repo.at("s/C/D/new.md")).unwrap(), b"one");
    assert_eq!(fs::metadata(repo.at("s/C/D/new.md")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read(repo.at("s/B/other.md")).unwrap(), b"two");
    assert!(!repo.at("s/A").exists(), "its folder was left empty");
}

/// Names that differ in case only: one file where the file system says so, two elsewhere.
#[test]
fn a_name_changes_its_case() {
    let repo = repo(&[("s/Old.md", b"one")]);
    repo.tree.rename("s/Old.md", "s/old.md", &digest(b"one"), "s").unwrap();
    let names: Vec<_> =
        fs::read_dir(repo.at("s")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["old.md"]);
    // A second name of the same file is another file.
    fs::hard_link(repo.at("s/old.md"), repo.at("s/OLD.md")).unwrap();
    assert!(repo.tree.rename("s/old.md", "s/OLD.md", &digest(b"one"), "s").is_err());
    assert!(repo.at("s/old.md").exists());
}
