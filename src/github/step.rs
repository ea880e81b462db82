//! What a step tells the runner about a report: files first, then the text for the log.

use std::collections::BTreeMap;

use super::command::{self, Annotation, Level};
use super::files::Files;
use crate::report::Report;
use crate::report::github::{Known, SUMMARY, Scene, log, outputs, summary};

/// Writes outputs, summary and the file with the whole report, where the runner has a place for them, and gives the
/// text for the log. What could not be written is a warning there: the run itself has ended by now.
pub fn tell(
    report: &Report,
    scene: &Scene,
    known: Known<'_>,
    env: &BTreeMap<String, String>,
    (verbose, quiet): (bool, bool),
) -> String {
    let files = Files::of(env);
    let mut extra = Vec::new();
    let mut say = |level, message: String| {
        let title = "agent-sync".to_owned();
        extra.push(Annotation { level, file: None, line: None, title, message });
    };
    let json = report.json().map_err(std::io::Error::other);
    let path = json.and_then(|json| files.report(&json)).unwrap_or_else(|error| {
        say(Level::Warning, format!("The report could not be written: {error}."));
        None
    });
    let path = path.map(|path| path.display().to_string());
    let (pairs, notice) = outputs(report, Known { report: path.as_deref(), ..known });
    if let Some(notice) = notice {
        say(Level::Notice, notice);
    }
    if let Err(error) = files.output(&pairs) {
        say(Level::Warning, format!("The outputs could not be written: {error}."));
    }
    if let Err(error) = files.summary(|left| summary(report, scene, left.min(SUMMARY))) {
        say(Level::Warning, format!("The summary could not be written: {error}."));
    }
    log(report, scene, verbose, quiet) + &command::annotations(&extra)
}
