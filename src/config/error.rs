//! What is wrong with the configuration, and where.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::PLACES;

/// One fault of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Line from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong: a sentence. Never holds a value that looks like a secret.
    pub message: String,
    /// What to do: a sentence, or empty.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, " {}", self.hint) }
    }
}

/// The configuration cannot be used (exit 2). Shows one line per problem.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// All that was found, in order of the file; at least one.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    pub(super) fn one(file: PathBuf, line: Option<usize>, message: String, hint: &str) -> Self {
        Self { problems: vec![Problem { file, line, message, hint: hint.to_owned() }] }
    }
}

/// A configuration is a page of text; anything longer is the wrong file.
const MAX_BYTES: u64 = 1024 * 1024;

const MINIMAL: &str = "Write agent-sync.yml with:\n\n\
    version: 1\n\
    preset: agent\n\
    backends:\n  \
      notion:\n    \
        type: notion\n    \
        parent_page: ${NOTION_PARENT_PAGE_ID}\n";

/// The file's path (relative to the root where it is below it) and text.
pub(super) fn read(root: &Path, explicit: Option<&Path>) -> Result<(PathBuf, String), ConfigError> {
    let candidates: Vec<PathBuf> = match explicit {
        Some(file) => vec![file.to_path_buf()],
        None => PLACES.iter().map(PathBuf::from).collect(),
    };
    for file in candidates {
        let path = root.join(&file);
        let refused =
            |message: String, hint: &str| Err(ConfigError::one(file.clone(), None, message, hint));
        match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => {
                return refused("This is no file.".to_owned(), "Name a file.");
            }
            Ok(metadata) if metadata.len() > MAX_BYTES => {
                return refused(
                    "The file is larger than 1 MiB.".to_owned(),
                    "Name the configuration file.",
                );
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && explicit.is_none() => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return refused("The file does not exist.".to_owned(), MINIMAL);
            }
            _ => {}
        }
        return match fs::read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => Ok((file, text)),
            Ok(Err(_)) => refused("The file is not UTF-8.".to_owned(), "Save it as UTF-8."),
            Err(error) => {
                refused(format!("The file cannot be read: {error}."), "Check its permissions.")
            }
        };
    }
    let message = format!("There is no configuration file (looked for {}).", PLACES.join(", "));
    Err(ConfigError::one(PathBuf::from(PLACES[0]), None, message, MINIMAL))
}
