//! Comparison of texts as a renderer reads them that is not ours: markdown-it, installed by npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::common::npm;

/// Installs the renderer into `target/`; answers with the folder.
pub(crate) fn install() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus");
    npm::install(&sources, &folder);
    folder
}

/// Of pairs (name, text, text) those that a reader sees differently, with the first difference.
pub(crate) fn differences(pairs: &[(String, &str, &str)]) -> Vec<String> {
    let folder = install();
    let input = tempfile::NamedTempFile::new().unwrap();
    let pairs: Vec<Value> = pairs
        .iter()
        .map(|(name, before, after)| json!({ "name": name, "before": before, "after": after }))
        .collect();
    serde_json::to_writer(input.as_file(), &pairs).unwrap();
    let ran = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/compare.mjs"))
        .args([&folder, input.path()])
        .output()
        .expect("node must be installed to compare with a renderer that is not ours");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let found: Vec<Value> = serde_json::from_slice(&ran.stdout).unwrap();
    let shown = |pair: &Value, side: &str| pair[side].as_str().unwrap_or_default().to_owned();
    found
        .iter()
        .map(|pair| {
            let [name, before, after] = ["name", "before", "after"].map(|side| shown(pair, side));
            format!("{name}\n--- before\n{before}\n--- after\n{after}")
        })
        .collect()
}
