//! The program: parse, call, print, map the outcome to an exit code.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use agent_sync::auto;
use agent_sync::cli::{Cli, ConfigSub, Format, Sub};
use agent_sync::config::Config;
use agent_sync::engine::{self, Phase, Progress, Request, RunError};
use agent_sync::report::{Outcome, Report, human, progress};
use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Variable with the filter for the log.
const LOG: &str = "AGENT_SYNC_LOG";

/// Runs that take less show no progress.
const SHORT: Duration = Duration::from_millis(500);
/// Time between two drawings of the line.
const REDRAW: Duration = Duration::from_millis(100);
/// Goes to the begin of the line and clears it (ECMA-48 CR and EL).
const CLEAR: &str = "\r\x1b[2K";

/// One line on a terminal that is drawn over as the run goes on.
struct Line {
    begun: Instant,
    drawn: Mutex<Option<(Instant, Phase)>>,
}

impl Default for Line {
    fn default() -> Self {
        Self { begun: Instant::now(), drawn: Mutex::new(None) }
    }
}

impl Line {
    fn clear(&self) {
        if self.drawn.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            write_err(CLEAR);
        }
    }
}

impl Progress for Line {
    fn at(&self, phase: Phase, done: usize, total: usize) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let due = drawn
            .is_none_or(|(at, shown)| shown != phase || done == total || at.elapsed() >= REDRAW);
        if due && self.begun.elapsed() >= SHORT {
            write_err(&format!("{CLEAR}{}", progress(phase, done, total)));
            *drawn = Some((Instant::now(), phase));
        }
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not mistakes.
            let code = if error.use_stderr() { Outcome::Usage.code() } else { 0 };
            return match error.print() {
                Ok(()) => ExitCode::from(code),
                Err(_) => ExitCode::from(Outcome::Bug.code()),
            };
        }
    };
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    log(&env);
    let outcome = run(&cli, env);
    ExitCode::from(outcome.code())
}

fn log(env: &BTreeMap<String, String>) {
    let filter = env.get(LOG).map_or("off", String::as_str);
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
}

fn run(cli: &Cli, env: BTreeMap<String, String>) -> Outcome {
    let fail_on = match cli.fail_on() {
        Ok(fail_on) => fail_on,
        Err(error) => return fail(cli, "", RunError::Usage(error.to_string())),
    };
    let mut request = match cli.request(env.clone()) {
        Ok(Some(request)) => request,
        Ok(None) => return config(cli, &env),
        Err(error) => return fail(cli, "", RunError::Usage(error.to_string())),
    };
    let name = request.command.name();
    request.github = match engine::github(&request.env) {
        Ok(github) => github,
        Err(error) => return fail(cli, name, error),
    };
    let logs = request.env.contains_key(LOG);
    let watched =
        !cli.quiet && !logs && cli.format == Format::Human && std::io::stderr().is_terminal();
    let result = match watched {
        true => {
            let line = Line::default();
            let result = call(&request, &line);
            line.clear();
            result
        }
        false => call(&request, &()),
    };
    match result {
        Ok(mut report) => {
            if let Some(fail_on) = fail_on {
                report.fail_on(fail_on);
            }
            print(cli, &report);
            report.outcome
        }
        Err(error) => fail(cli, name, error),
    }
}

fn call(request: &Request, progress: &dyn Progress) -> Result<Report, RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| RunError::Bug(format!("The runtime could not be started: {error}.")))?;
    let surface = auto::Surface { comment: true };
    let done = runtime.block_on(auto::run(request.clone(), false, surface, progress));
    // A task that hangs must not keep a finished run from ending.
    runtime.shutdown_timeout(std::time::Duration::from_millis(100));
    Ok(done.report)
}

fn config(cli: &Cli, env: &BTreeMap<String, String>) -> Outcome {
    if let Sub::Config { show: Some(ConfigSub::Schema) } = &cli.command {
        write_out(&format!("{:#}\n", agent_sync::config::schema()));
        return Outcome::Clean;
    }
    let lookup = |name: &str| env.get(name).cloned();
    match Config::load(&cli.directory, cli.config.as_deref(), &lookup) {
        Ok(config) => {
            let kinds: Vec<&str> = config.kinds.keys().map(String::as_str).collect();
            let backends: Vec<&str> =
                config.backends.iter().map(|backend| backend.name()).collect();
            write_err(&format!(
                "{} is valid: kinds {}; backends {}.\n",
                config.file.display(),
                kinds.join(", "),
                backends.join(", ")
            ));
            Outcome::Clean
        }
        Err(error) => fail(cli, "config", RunError::Usage(error.to_string())),
    }
}

fn fail(cli: &Cli, command: &str, error: RunError) -> Outcome {
    let report = Report::failed(command, error);
    print(cli, &report);
    report.outcome
}

/// JSON goes to stdout alone; everything else to stderr.
fn print(cli: &Cli, report: &Report) {
    match cli.format {
        Format::Json => match report.json() {
            Ok(json) => write_out(&json),
            Err(error) => write_err(&format!("bug: the report could not be written: {error}\n")),
        },
        Format::Human if cli.quiet && report.error.is_none() => {}
        Format::Human => write_err(&human(report, cli.verbose)),
    }
}

fn write_out(text: &str) {
    // A closed pipe is the reader's decision.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn write_err(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
