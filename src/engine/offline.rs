//! What can be checked with the files alone: the configuration, and what the scan of the working tree finds.

use super::{Request, RunError};
use crate::config::Config;
use crate::repo::Tree;
use crate::report::Report;

/// Checks the configuration and the files; asks neither a backend nor the state.
pub fn offline(request: &Request) -> Report {
    let mut report = Report::new("check", request.dry_run);
    if let Err(error) = look(request, &mut report) {
        report.stopped = Some(error);
    }
    report.settle();
    report
}

fn look(request: &Request, report: &mut Report) -> Result<(), RunError> {
    let env = |name: &str| request.env.get(name).cloned();
    let config = match &request.config_text {
        Some((file, text)) => Config::parse(file.clone(), text, &env)?,
        None => Config::load(&request.directory, request.config.as_deref(), &env)?,
    };
    let tree = Tree::open(&request.directory).map_err(|error| {
        RunError::Usage(format!("{} cannot be read: {error}.", request.directory.display()))
    })?;
    let scan = tree.scan(&config.kinds, &config.kinds.keys().cloned().collect());
    report.findings.extend(scan.findings);
    Ok(())
}
