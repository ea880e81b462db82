//! The program: parse, call, print, map the outcome to an exit code.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use agent_sync::auto::{self, Done, Surface};
use agent_sync::cli::{Cli, ConfigSub, Format, Sub, UsageError};
use agent_sync::config::Config;
use agent_sync::engine::{self, Phase, Progress, Request, RunError};
use agent_sync::github::Context;
use agent_sync::github::command::mask;
use agent_sync::github::step::tell;
use agent_sync::inputs::{self, Inputs};
use agent_sync::report::github::{Answer, Known, Scene};
use agent_sync::report::{Outcome, Report, human, inert, one_line, progress};
use clap::Parser;
use clap::error::ErrorKind;
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

/// What clap says where the command is missing: without any argument, and with options only.
const LACKS_COMMAND: [ErrorKind; 2] =
    [ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, ErrorKind::MissingSubcommand];

/// Where a run says something, and how.
struct Shell {
    format: Format,
    verbose: bool,
    quiet: bool,
    directory: PathBuf,
    env: BTreeMap<String, String>,
}

fn main() -> ExitCode {
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if inputs::in_actions(&env) {
        // Before anything else can name them.
        let masks: String = inputs::secrets(&env).iter().map(|secret| mask(secret)).collect();
        write_err(&masks);
        std::panic::set_hook(Box::new(|panic| {
            write_err(&format!("{}\n", inert(&panic.to_string())))
        }));
    }
    log(&env);
    ExitCode::from(start(env).code())
}

fn start(env: BTreeMap<String, String>) -> Outcome {
    let mut shell = Shell {
        format: if inputs::in_actions(&env) { Format::Github } else { Format::Human },
        verbose: false,
        quiet: false,
        directory: PathBuf::from("."),
        env: inputs::environment(env),
    };
    let usage = |error: UsageError| RunError::Usage(error.to_string());
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let mut parsed = Cli::try_parse_from(&args);
    if parsed.as_ref().is_err_and(|error| LACKS_COMMAND.contains(&error.kind())) {
        match inputs::command(&shell.env) {
            Ok(None) => {}
            Ok(Some(command)) => {
                args.push(command.into());
                parsed = Cli::try_parse_from(args);
            }
            Err(error) => return shell.fail("", usage(error)),
        }
    }
    let mut cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return shell.help(&error),
    };
    shell.format = cli.format(&shell.env);
    (shell.verbose, shell.quiet) = (cli.verbose, cli.quiet);
    shell.directory.clone_from(&cli.directory);
    let inputs = match Inputs::read(&shell.env) {
        Ok(inputs) => inputs,
        Err(error) => return shell.fail("", usage(error)),
    };
    inputs.complete(&mut cli);
    run(&cli, &inputs, &shell)
}

/// In the log of a job a line of it could be a command.
struct Log {
    inert: bool,
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.inert {
            true => write_err(&inert(&String::from_utf8_lossy(bytes))),
            false => std::io::stderr().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

fn log(env: &BTreeMap<String, String>) {
    let filter = env.get(LOG).map_or("off", String::as_str);
    let inert = inputs::in_actions(env);
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(move || Log { inert })
        .with_ansi(false)
        .init();
}

fn run(cli: &Cli, inputs: &Inputs, shell: &Shell) -> Outcome {
    let fail_on = match cli.fail_on() {
        Ok(fail_on) => fail_on,
        Err(error) => return shell.fail("", RunError::Usage(error.to_string())),
    };
    let mut request = match cli.request(shell.env.clone()) {
        Ok(Some(request)) => request,
        Ok(None) => return config(cli, shell),
        Err(error) => return shell.fail("", RunError::Usage(error.to_string())),
    };
    let name = request.command.name();
    request.github = match engine::github(&request.env) {
        Ok(github) => github,
        Err(error) => return shell.fail(name, error),
    };
    request.publish = inputs.publish;
    let auto = matches!(cli.command, Sub::Auto(_));
    let surface =
        Surface { comment: inputs.comment.unwrap_or(true), janitor: cli.janitor_fail_on() };
    let call = |progress: &dyn Progress| call(&request, auto, surface, shell.scene(), progress);
    let logs = request.env.contains_key(LOG);
    let watched =
        !cli.quiet && !logs && shell.format == Format::Human && std::io::stderr().is_terminal();
    let result = match watched {
        true => {
            let line = Line::default();
            let result = call(&line);
            line.clear();
            result
        }
        false => call(&()),
    };
    match result {
        Ok(mut done) => {
            // An event may have asked for something else than a check.
            let asked = matches!(done.report.command.as_str(), "check" | "janitor");
            if let Some(fail_on) = fail_on.filter(|_| asked) {
                done.report.fail_on(fail_on);
            }
            shell.print(&done);
            done.report.outcome
        }
        Err(error) => shell.fail(name, error),
    }
}

fn call(
    request: &Request,
    auto: bool,
    surface: Surface,
    scene: Scene,
    progress: &dyn Progress,
) -> Result<Done, RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| RunError::Bug(format!("The runtime could not be started: {error}.")))?;
    let done = runtime.block_on(auto::run(request.clone(), auto, surface, scene, progress));
    // A task that hangs must not keep a finished run from ending.
    runtime.shutdown_timeout(std::time::Duration::from_millis(100));
    Ok(done)
}

fn config(cli: &Cli, shell: &Shell) -> Outcome {
    match &cli.command {
        Sub::Config { show: Some(ConfigSub::Schema) } => {
            write_out(&format!("{:#}\n", agent_sync::config::schema()));
            return Outcome::Clean;
        }
        Sub::Config { show: Some(ConfigSub::Inputs) } => {
            write_out(&inputs::table());
            return Outcome::Clean;
        }
        _ => {}
    }
    let lookup = |name: &str| shell.env.get(name).cloned();
    match Config::load(&cli.directory, cli.config.as_deref(), &lookup) {
        Ok(config) => {
            let kinds: Vec<&str> = config.kinds.keys().map(String::as_str).collect();
            let backends: Vec<&str> =
                config.backends.iter().map(|backend| backend.name()).collect();
            write_err(&format!(
                "{} is valid: kinds {}; backends {}.\n",
                one_line(&config.file.display().to_string()),
                kinds.join(", "),
                backends.join(", ")
            ));
            Outcome::Clean
        }
        Err(error) => shell.fail("config", RunError::Usage(error.to_string())),
    }
}

impl Shell {
    fn fail(&self, command: &str, error: RunError) -> Outcome {
        let report = Report::failed(command, error);
        let done = Done::plain(report, self.scene());
        self.print(&done);
        done.report.outcome
    }

    /// Help and version are answers; anything else that clap says is a mistake in the arguments.
    fn help(&self, error: &clap::Error) -> Outcome {
        let mistake = error.use_stderr();
        if mistake && self.format == Format::Github {
            let text = error.render().to_string();
            write_err(&inert(&text));
            let first = text.lines().next().unwrap_or_default();
            let first = first.strip_prefix("error: ").unwrap_or(first).to_owned();
            return self.fail("", RunError::Usage(first));
        }
        match error.print() {
            Err(_) => Outcome::Bug,
            Ok(()) if mistake => Outcome::Usage,
            Ok(()) => Outcome::Clean,
        }
    }

    /// JSON goes to stdout alone, and so do the commands of a job with what they fold; everything else to stderr.
    fn print(&self, done: &Done) {
        let report = &done.report;
        match self.format {
            Format::Json => match report.json() {
                Ok(json) => write_out(&json),
                Err(error) => {
                    write_err(&format!("bug: the report could not be written: {error}\n"));
                }
            },
            Format::Github => {
                let how = (self.verbose, self.quiet);
                let known = Known {
                    report: None,
                    comment_url: done.comment_url.as_deref(),
                    pull_request_url: done.pull_request_url.as_deref(),
                };
                write_out(&tell(report, &done.scene, known, &self.env, how));
            }
            Format::Human if self.quiet && report.error.is_none() => {}
            Format::Human => write_err(&human(report, self.verbose)),
        }
    }

    fn scene(&self) -> Scene {
        let context = Context::of(&self.env).ok().flatten();
        let commit = self.env.get("GITHUB_SHA");
        let commit = commit.filter(|id| id.chars().all(|c| c.is_ascii_hexdigit()));
        let files = context.as_ref().zip(commit).map(|(context, commit)| {
            format!("{}/{}/blob/{commit}/", context.server, context.repository)
        });
        Scene {
            run: context.and_then(|context| context.run_url()),
            files,
            folder: self.folder().unwrap_or_default(),
            answer: Answer::Shell,
        }
    }

    /// Folder of the repository inside the workspace, to which places in annotations are relative.
    fn folder(&self) -> Option<String> {
        let workspace = Path::new(self.env.get("GITHUB_WORKSPACE")?).canonicalize().ok()?;
        let directory = self.directory.canonicalize().ok()?;
        let root = directory.ancestors().find(|folder| folder.join(".git").exists())?;
        let inside = root.strip_prefix(&workspace).ok()?.to_str()?;
        (!inside.is_empty()).then(|| format!("{inside}/"))
    }
}

fn write_out(text: &str) {
    // A closed pipe is the reader's decision.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn write_err(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
