//! The walls between the parts (docs/design.md §4): what may depend on what, and who may print.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that core may be built from: parsers, data structures, digests. Nothing here opens a file, a socket
/// or a process, asks for the time or for the environment on its own account. A new name needs a look at its code.
const CORE: [&str; 39] = [
    "aho-corasick",
    "bitflags",
    "block-buffer",
    "cfg-if",
    "const-oid",
    "cpufeatures",
    "crypto-common",
    "digest",
    "equivalent",
    "foldhash",
    "hashbrown",
    "hybrid-array",
    "indexmap",
    "itoa",
    "memchr",
    "proc-macro2",
    "pulldown-cmark",
    "quote",
    "regex",
    "regex-automata",
    "regex-syntax",
    "ryu",
    "serde",
    "serde_core",
    "serde_derive",
    "serde_json",
    "serde_norway",
    "sha2",
    "similar",
    "syn",
    "thiserror",
    "thiserror-impl",
    "tinyvec",
    "typenum",
    "unicase",
    "unicode-ident",
    "unicode-normalization",
    "unsafe-libyaml-norway",
    "zmij",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Packages that `package` is built from on this platform, without those for its tests and for building it.
fn dependencies(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(["--package", package])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    let names = names.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != package).map(str::to_owned).collect()
}

#[test]
fn core_depends_on_no_crate_that_does_io() {
    let allowed: BTreeSet<String> = CORE.iter().map(|name| (*name).to_owned()).collect();
    let found = dependencies("agent-sync-core");
    let new: Vec<_> = found.difference(&allowed).collect();
    assert!(new.is_empty(), "{new:?}");
    assert!(found.contains("pulldown-cmark"), "{found:?}");
}

#[test]
fn the_simulator_is_no_part_of_the_program() {
    let program = dependencies("agent-sync");
    assert!(program.contains("agent-sync-core") && !program.contains("notion-sim"), "{program:?}");
    assert!(!dependencies("notion-sim").contains("agent-sync"));
}

/// Source files under a folder, with their text without tests and comments.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path)
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let code: String = code
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .map(|line| format!("{line}\n"))
                    .collect();
                found.push((
                    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(),
                    code,
                ));
            }
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found.sort();
    found
}

fn is_test(path: &Path) -> bool {
    let names: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    names
        .iter()
        .any(|name| matches!(name.as_ref(), "tests" | "tests.rs" | "testing.rs" | "contract.rs"))
}

/// Fails if a file of the folder holds one of the texts.
#[track_caller]
fn never(folder: &str, texts: &[&str]) {
    for (path, code) in sources(folder) {
        for (n, line) in code.lines().enumerate() {
            for text in texts {
                assert!(!line.contains(text), "{path} (line {} without comments): {line}", n + 1);
            }
        }
    }
}

#[test]
fn backends_do_not_know_the_engine() {
    never(
        "src/backend",
        &["crate::engine", "crate::report", "crate::repo", "super::super::engine"],
    );
    // A database keeps its own state; Notion's is in the repository.
    never("src/backend/notion", &["crate::state"]);
}

#[test]
fn the_lower_parts_do_not_know_the_upper_ones() {
    never("src/state", &["crate::engine", "crate::report", "crate::backend", "crate::config"]);
    never(
        "src/repo",
        &["crate::engine", "crate::report", "crate::backend", "crate::config", "crate::state"],
    );
    never(
        "src/config",
        &["crate::engine", "crate::report", "crate::backend", "crate::repo", "crate::state"],
    );
}

#[test]
fn the_engine_knows_no_backend_by_name() {
    never("src/engine", &["notion::", "Notion", "reqwest"]);
}

#[test]
fn core_touches_nothing() {
    never(
        "crates/core/src",
        &[
            "std::fs",
            "std::net",
            "std::env",
            "std::process",
            "std::time::SystemTime",
            "SystemTime::now",
            "Instant::now",
            "async fn",
        ],
    );
}

#[test]
fn only_main_writes_to_the_standard_streams() {
    let prints = ["println!", "print!", "eprintln!", "eprint!", "io::stdout", "io::stderr"];
    for (path, code) in sources("src") {
        if path == "src/main.rs" {
            continue;
        }
        for line in code.lines() {
            assert!(!prints.iter().any(|print| line.contains(print)), "{path}: {line}");
        }
    }
    never("crates/core/src", &prints);
}
