//! `rename: follow`: where a file goes whose title changed in the backend.

use agent_sync_core::kind::{Kind, PropertyType, Rename};
use agent_sync_core::model::{Stretch, Value};
use agent_sync_core::plan::Content;

use super::observe::{Artifact, World};
use super::work::Task;
use crate::repo::{Tree, new_path};

/// The path that the file gets by the kind's `file`, or `None` where it stays: the kind keeps its paths, the title
/// did not come from the backend, or the words that make the path are the same.
pub(super) fn target(
    tree: &Tree,
    world: &World,
    artifact: &Artifact,
    task: &Task,
) -> Option<String> {
    let key = &artifact.key;
    let kind = world.kinds.get(&key.kind).filter(|kind| kind.rename == Rename::Follow)?;
    let entry = world.scan.files.get(key).filter(|entry| !entry.link)?;
    let [old, new] = titles(kind, artifact, task)?;
    let plain = |title: &str| new_path(kind, &key.id, title, &|_| false).ok();
    if plain(&old) == plain(&new) {
        return None;
    }
    // On many file systems two names that differ in case only are one.
    let others = |path: &str| {
        let files = world.scan.files.values().map(|other| &other.path).chain(world.made.values());
        let mut others = files.filter(|other| **other != entry.path);
        others.any(|other| other.to_lowercase() == path.to_lowercase())
    };
    let taken =
        |path: &str| path != entry.path && (others(path) || tree.is_taken(path, &entry.path));
    new_path(kind, &key.id, &new, &taken).ok().filter(|path| *path != entry.path)
}

/// The title before and after, where it comes from the backend.
fn titles(kind: &Kind, artifact: &Artifact, task: &Task) -> Option<[String; 2]> {
    let title = kind.properties.iter().find(|property| property.r#type == PropertyType::Title)?;
    let stretch = Stretch::Property(title.name.clone());
    task.pull.get(&stretch)?;
    let seen = artifact.stretches.get(&stretch)?;
    let text = |content: &Option<Content>| match content {
        Some(Content::Value(Value::Text(text))) => text.clone(),
        _ => String::new(),
    };
    Some([text(&seen.local), text(&seen.remote)])
}
