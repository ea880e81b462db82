//! The files by which a step tells the runner and later steps something.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fs::{OpenOptions, Permissions};
use std::hash::BuildHasher as _;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Bytes of a step's summary; of a longer one the runner shows nothing.
const SUMMARY: u64 = 1024 * 1024;

/// Where the runner wants to be told; what it does not name is left out.
#[derive(Clone, Debug, Default)]
pub struct Files {
    output: Option<PathBuf>,
    summary: Option<PathBuf>,
    temp: Option<PathBuf>,
}

impl Files {
    /// As the environment names them.
    pub fn of(env: &BTreeMap<String, String>) -> Self {
        let path = |name: &str| env.get(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self {
            output: path("GITHUB_OUTPUT"),
            summary: path("GITHUB_STEP_SUMMARY"),
            temp: path("RUNNER_TEMP"),
        }
    }

    /// Sets outputs of the step.
    ///
    /// # Errors
    /// What the file system says; a value that could end itself early. Then none is set.
    pub fn output(&self, pairs: &[(&str, String)]) -> io::Result<()> {
        let Some(path) = &self.output else { return Ok(()) };
        let delimiter = delimiter();
        let mut text = String::new();
        for (name, value) in pairs {
            text.push_str(&entry(name, value, &delimiter)?);
        }
        append(path, &text)
    }

    /// Adds to the step's summary what `text` makes of the bytes that are left.
    ///
    /// # Errors
    /// What the file system says; a text that is longer than was asked for.
    pub fn summary(&self, text: impl FnOnce(usize) -> String) -> io::Result<()> {
        let Some(path) = &self.summary else { return Ok(()) };
        let there = std::fs::metadata(path).map_or(0, |data| data.len());
        // A line break is put between two parts.
        let left = usize::try_from(SUMMARY.saturating_sub(there + 1)).unwrap_or(usize::MAX);
        let text = text(left);
        if text.len() > left {
            return Err(io::Error::other("the summary would be longer than the runner shows"));
        }
        let begin = if there > 0 && !text.is_empty() { "\n" } else { "" };
        append(path, &format!("{begin}{text}"))
    }

    /// Writes a file with a new name that later steps can read; `None` where there is no place for it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn report(&self, json: &str) -> io::Result<Option<PathBuf>> {
        let Some(temp) = &self.temp else { return Ok(None) };
        let mut file =
            tempfile::Builder::new().prefix("agent-sync-").suffix(".json").tempfile_in(temp)?;
        file.write_all(json.as_bytes())?;
        // In a container we may be root, and the steps after us are not.
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        Ok(Some(file.keep()?.1))
    }
}

/// Nobody can foresee it: the keys of a `RandomState` come from the system.
fn delimiter() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    format!("agent_sync_{:016x}{:016x}", half(), half())
}

fn entry(name: &str, value: &str, delimiter: &str) -> io::Result<String> {
    if value.contains(delimiter) || name.contains(['\n', '\r', '=', '<']) {
        return Err(io::Error::other(format!("the output `{name}` cannot be written safely")));
    }
    Ok(format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"))
}

/// These files are mounted one by one: they are opened, never replaced.
fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| (name.to_owned(), dir.path().join(name).display().to_string());
        let mut env: BTreeMap<String, String> =
            [at("GITHUB_OUTPUT"), at("GITHUB_STEP_SUMMARY")].into();
        env.insert("RUNNER_TEMP".to_owned(), dir.path().display().to_string());
        let files = Files::of(&env);
        (dir, files)
    }

    #[test]
    fn outputs_are_appended_between_delimiters() {
        let (dir, files) = files();
        let path = dir.path().join("GITHUB_OUTPUT");
        std::fs::write(&path, "earlier=1\n").unwrap();
        files
            .output(&[("outcome", "clean".into()), ("changed-files", "[\"a\nb=c\"]".into())])
            .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[1].strip_prefix("outcome<<").unwrap();
        assert!(end.len() > 32, "{end}");
        let changed = format!("changed-files<<{end}");
        assert_eq!(lines, ["earlier=1", lines[1], "clean", end, &changed, "[\"a", "b=c\"]", end]);
        files.output(&[("outcome", "clean".into())]).unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap()[text.len()..].contains(end));
    }

    #[test]
    fn a_value_that_holds_the_delimiter_is_refused() {
        assert!(entry("a", "x\nEND\nb=c", "END").is_err());
        assert!(entry("a\nb", "x", "END").is_err());
        assert_eq!(entry("a", "x", "END").unwrap(), "a<<END\nx\nEND\n");
    }

    #[test]
    fn the_summary_is_appended_up_to_what_the_runner_shows() {
        let (dir, files) = files();
        let path = dir.path().join("GITHUB_STEP_SUMMARY");
        files.summary(|_| "first\n".into()).unwrap();
        files.summary(|_| "second\n".into()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\n\nsecond\n");
        assert!(files.summary(|left| "x".repeat(left + 1)).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\n\nsecond\n");
        files.summary(|left| "x".repeat(left)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 1024 * 1024);
        files.summary(|left| "x".repeat(left)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 1024 * 1024);
    }

    #[test]
    fn a_report_gets_a_new_name_that_others_can_read() {
        let (_dir, files) = files();
        let paths = [files.report("{}").unwrap().unwrap(), files.report("{}").unwrap().unwrap()];
        assert_ne!(paths[0], paths[1]);
        assert_eq!(std::fs::metadata(&paths[0]).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(Files::default().report("{}").unwrap(), None);
    }
}
