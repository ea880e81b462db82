//! Packages that tests take from npm: third-party code is installed when they run, never committed.

use std::path::Path;
use std::process::{Command, Stdio};

/// Installs what the `package.json` and its lock in `sources` name into a folder, where that is not there yet. One
/// process at a time.
#[track_caller]
pub fn install(sources: &Path, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let lock = std::fs::File::open(folder).unwrap();
    lock.lock().unwrap();
    // npm writes it last.
    let mut is_installed = folder.join("node_modules/.package-lock.json").exists();
    for file in ["package.json", "package-lock.json"] {
        let wanted = std::fs::read(sources.join(file)).unwrap();
        if std::fs::read(folder.join(file)).ok().as_ref() != Some(&wanted) {
            std::fs::write(folder.join(file), wanted).unwrap();
            is_installed = false;
        }
    }
    if !is_installed {
        let installed = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .status()
            .expect("npm must be installed to test against what nobody here wrote");
        assert!(installed.success(), "npm ci failed");
    }
}
