//! Names and paths of files: which are safe, and which a new artifact gets.

use std::ffi::OsStr;

use agent_sync_core::kind::Kind;

/// Why no file can be made for an artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The id is not as the kind's ids are, or would make no file name.
    #[error("{id:?} cannot be the id of a new {kind} (ids look like {pattern})")]
    Id {
        /// The id.
        id: String,
        /// Name of the kind.
        kind: String,
        /// The kind's pattern.
        pattern: String,
    },
    /// The kind's configured `file` makes no path below its folder.
    #[error("the `file` of kind {kind} makes no path below its folder")]
    Pattern {
        /// Name of the kind.
        kind: String,
    },
    /// Every name that was tried is taken.
    #[error("no free file name was found for {id}")]
    Taken {
        /// The id.
        id: String,
    },
}

/// Longest id that becomes part of a file name.
const MAX_ID: usize = 100;
/// Longest slug, in characters.
const MAX_SLUG: usize = 60;
/// Names that are tried before giving up.
const TRIES: usize = 100;

/// The path, relative to the repository, of a new artifact's file: the kind's `file` below its folder, with
/// `{scope}` (the id up to its last `-`), `{id}` and `{slug}` (the title's words in lower-case ASCII, at most 60
/// characters; the kind's name where the title has none). Where `taken` says that a path is in use, a number is
/// added.
///
/// # Errors
/// [`PathError`] where the id is not wholly of the kind's pattern or is unsafe as a file name, so that the result
/// is always below the kind's folder and names the id again when it is scanned.
pub fn new_path(
    kind: &Kind,
    id: &str,
    title: &str,
    taken: &dyn Fn(&str) -> bool,
) -> Result<String, PathError> {
    let unfit = || PathError::Id {
        id: id.chars().take(MAX_ID).collect(),
        kind: kind.name.clone(),
        pattern: kind.id_pattern.clone(),
    };
    if !is_id(kind, id) {
        return Err(unfit());
    }
    let scope = id.rsplit_once('-').map_or(id, |(scope, _)| scope);
    if !is_safe_id(scope) {
        return Err(unfit());
    }
    let title = slug(title).or_else(|| slug(&kind.name)).unwrap_or_else(|| "file".to_owned());
    for number in 1..=TRIES {
        let slug = if number == 1 { title.clone() } else { format!("{title}-{number}") };
        let mut below =
            kind.file.replace("{scope}", scope).replace("{id}", id).replace("{slug}", &slug);
        if number > 1 && !kind.file.contains("{slug}") {
            let (stem, extension) = below.rsplit_once('.').unwrap_or((&below, "md"));
            below = format!("{stem}-{number}.{extension}");
        }
        let path = format!("{}/{below}", kind.folder);
        let name = path.rsplit('/').next().unwrap_or_default();
        if !path.split('/').all(is_ordinary) || id_of(kind, name) != Some(id) {
            return Err(PathError::Pattern { kind: kind.name.clone() });
        }
        if !taken(&path) {
            return Ok(path);
        }
    }
    Err(PathError::Taken { id: id.to_owned() })
}

/// Whether a text is wholly an id of the kind, and safe as a part of a path.
pub fn is_id(kind: &Kind, id: &str) -> bool {
    is_safe_id(id) && id_of(kind, id) == Some(id)
}

/// The id that a file name begins with.
pub fn id_of<'n>(kind: &Kind, name: &'n str) -> Option<&'n str> {
    kind.file_id.captures(name)?.get(1).map(|id| id.as_str())
}

/// Letters, digits, `-`, `_` and inner dots, and no name that Windows reserves.
fn is_safe_id(id: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !id.is_empty()
        && id.len() <= MAX_ID
        && id.chars().all(safe)
        && !id.starts_with(['.', '-'])
        && !id.ends_with('.')
        && !id.contains("..")
        && !is_reserved(id)
}

/// <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || numbered.is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Lower-case ASCII words joined by `-`; `None` if there are none.
fn slug(title: &str) -> Option<String> {
    let mut out = String::new();
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    for word in words {
        let gap = usize::from(!out.is_empty());
        if out.len() + gap + word.len() > MAX_SLUG {
            if out.is_empty() {
                out.push_str(word.get(..MAX_SLUG).unwrap_or(word));
            }
            break;
        }
        if gap == 1 {
            out.push('-');
        }
        out.push_str(word);
    }
    out.make_ascii_lowercase();
    if is_reserved(&out) {
        out.push_str("-file");
    }
    (!out.is_empty()).then_some(out)
}

/// Whether one part of a path is an ordinary name: not empty, no way up, not git's own folder.
pub(crate) fn is_ordinary(part: &str) -> bool {
    !matches!(part, "" | "." | "..")
        && !part.contains(['/', '\\', '\0'])
        && part.len() <= 255
        && !is_git(OsStr::new(part))
}

/// Whether a name is git's own folder, on any file system.
pub(super) fn is_git(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        name.trim_end_matches([' ', '.']).eq_ignore_ascii_case(".git")
            || name.eq_ignore_ascii_case("git~1")
    })
}
