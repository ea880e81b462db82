//! Markdown that nobody here wrote: the `*.md` files of the packages that the build has on this machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the corpus.
pub(crate) struct Sample {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it holds.
    pub(crate) text: String,
}

/// The files of every package of the dependency tree, each text once, in order of their paths.
pub(crate) fn of_cargo() -> Vec<Sample> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .expect("cargo runs, as it runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let folders = packages
        .iter()
        .filter(|package| !package["source"].is_null())
        .filter_map(|package| Path::new(package["manifest_path"].as_str()?).parent());
    read(folders)
}

/// The repository, from wherever the package is that includes this file.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let top = package.ancestors().filter(|folder| folder.join("Cargo.lock").is_file()).last();
    top.unwrap_or(package).to_owned()
}

/// The Markdown files in and below these folders, each text once.
pub(crate) fn read<'a>(folders: impl Iterator<Item = &'a Path>) -> Vec<Sample> {
    let mut paths = BTreeSet::new();
    for folder in folders {
        find(folder, &mut paths);
    }
    let mut seen = BTreeSet::new();
    let samples = paths.into_iter().filter_map(|path| {
        let text = std::fs::read_to_string(&path).ok()?;
        seen.insert(text.clone()).then_some(Sample { path, text })
    });
    samples.collect()
}

fn find(folder: &Path, paths: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, kind) = (entry.path(), entry.file_type());
        if kind.is_ok_and(|kind| kind.is_dir()) {
            find(&path, paths);
        } else if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("md")) {
            paths.insert(path);
        }
    }
}
