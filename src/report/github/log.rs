//! What a run says in the log of its job.

use super::super::{Report, human, inert};
use super::{Scene, annotations};
use crate::github::command::{self, Level};

/// The report for people in a part of the log that folds, its last line below it, then the annotations. No other line
/// of it is a command. `quiet` leaves annotations of errors only.
pub fn log(report: &Report, scene: &Scene, verbose: bool, quiet: bool) -> String {
    let mut out = String::new();
    if !quiet {
        let text = human(report, verbose);
        let (above, last) = match text.trim_end().rsplit_once('\n') {
            Some((above, last)) => (above.trim_end(), last),
            None => ("", text.trim_end()),
        };
        if !above.is_empty() {
            let name = if report.command.is_empty() { "report" } else { &report.command };
            out.push_str(&command::group(&format!("agent-sync {name}")));
            out.push_str(&inert(above));
            out.push('\n');
            out.push_str(command::end_group());
        }
        if !last.is_empty() {
            out.push_str(&inert(last));
            out.push('\n');
        }
    }
    let mut list = annotations(report, scene);
    list.retain(|one| !quiet || one.level == Level::Error);
    out.push_str(&command::annotations(&list));
    out
}
