//! The command line: clap types and what they ask of the engine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use agent_sync_core::model::{Selector, Side};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::engine::{Allow, Command, Keep, Request};
use crate::report::FailOn;

/// Keeps Markdown documents in Git and in Notion equal, in both directions.
#[derive(Debug, Parser)]
#[command(name = "agent-sync", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// Configuration file [default: agent-sync.yml, .github/agent-sync.yml or .agent/agent-sync.yml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the repository
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
    /// Ref that holds the state [default: refs/agent-sync/state, or as configured]
    #[arg(long, global = true, value_name = "REF")]
    pub state_ref: Option<String>,
    /// Form of the report [default: github inside GitHub Actions, human elsewhere]
    #[arg(long, global = true, value_enum)]
    pub format: Option<Format>,
    /// Say more: every artifact, and requests by endpoint
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say nothing but errors
    #[arg(long, global = true)]
    pub quiet: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Sub,
}

/// Form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// For machines, on stdout alone.
    Json,
    /// For the log of a job, with annotations, summary and outputs.
    Github,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Sub {
    /// Find or create the databases of each kind
    Init {
        /// What every command takes.
        #[command(flatten)]
        common: Common,
        /// Take over a table of the older system: id, type, content, version, state, author
        #[arg(long, value_name = "NAME")]
        from_table: Option<String>,
    },
    /// What differs, per artifact
    Status(Common),
    /// Three-way difference of one or more artifacts
    Diff(Common),
    /// Backend to repository
    Pull(Common),
    /// Repository to backend
    Push(Common),
    /// Both directions in one run
    Sync(Common),
    /// Would anything need a person? Writes nothing
    Check(Common),
    /// Do the artifacts hang together? Repairs what it can with --fix
    Janitor {
        /// Repair what can be repaired without deciding anything for people
        #[arg(long)]
        fix: bool,
        /// What to look at
        #[command(flatten)]
        common: Common,
    },
    /// What the event of a GitHub workflow asks for; the action's default
    Auto(Common),
    /// Record a decision on open conflicts
    Resolve {
        /// Artifacts (all their conflicts), or fingerprints of conflicts: 16 hex digits, or the first 6 or more
        #[arg(value_name = "ARTIFACT|FINGERPRINT", required = true)]
        targets: Vec<String>,
        /// Whose content stays
        #[arg(long, value_enum)]
        keep: KeepArg,
        /// Where
        #[command(flatten)]
        place: Place,
    },
    /// Past runs, from the state
    Log {
        /// At most so many runs
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Write a stored version of one side back to that side, as an edit
    Restore {
        /// The side to be written
        #[arg(long, value_enum)]
        side: SideArg,
        /// The run that overwrote it [default: the last that did]
        #[arg(long, value_name = "RUN")]
        at: Option<String>,
        /// What to look at
        #[command(flatten)]
        common: Common,
    },
    /// An artifact got a new id or kind: its page stays, as soon as the default branch holds the new file
    Relabel {
        /// What it was, as the state knows it: story/INFRA-054, or INFRA-054 where only one kind has it
        #[arg(value_name = "OLD")]
        old: String,
        /// What it is
        #[arg(value_name = "NEW")]
        new: String,
        /// Where
        #[command(flatten)]
        place: Place,
    },
    /// Validate the configuration
    Config {
        /// Print something instead
        #[command(subcommand)]
        show: Option<ConfigSub>,
    },
}

/// What `config` prints.
#[derive(Debug, Subcommand)]
pub enum ConfigSub {
    /// Print the JSON schema of the configuration
    Schema,
    /// Print the table of the action's inputs
    Inputs,
}

/// Options of the commands that record an answer.
#[derive(Debug, Args)]
pub struct Place {
    /// Only this backend (repeatable)
    #[arg(long, value_name = "NAME")]
    pub backend: Vec<String>,
    /// Say what would be recorded, write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of the commands that look at artifacts.
#[derive(Debug, Args)]
pub struct Common {
    /// Only these: story/INFRA-054, or INFRA-054 where that fits several kinds
    #[arg(value_name = "ARTIFACT")]
    pub artifacts: Vec<String>,
    /// Only this backend (repeatable)
    #[arg(long, value_name = "NAME")]
    pub backend: Vec<String>,
    /// Only this kind (repeatable)
    #[arg(long, value_name = "KIND")]
    pub kind: Vec<String>,
    /// Settle conflicts: pull takes the backend's, push the repository's, sync needs the value
    #[arg(long, value_enum, value_name = "SIDE", num_args = 0..=1, require_equals = true, default_missing_value = "auto")]
    pub force: Option<ForceArg>,
    /// Go past a guard, once: delete=N,change=N,history
    #[arg(long, value_name = "GUARDS", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Push or sync from another branch than the default one
    #[arg(long)]
    pub any_branch: bool,
    /// Plan, print, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Compare everything instead of what changed since the last run
    #[arg(long)]
    pub full: bool,
    /// What makes check and janitor fail [default: conflict; janitor: finding]
    #[arg(long, value_enum)]
    pub fail_on: Option<FailOnArg>,
}

/// `--force`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ForceArg {
    /// As the command's direction says.
    #[value(hide = true)]
    Auto,
    /// The repository wins.
    Local,
    /// The backend wins.
    Remote,
}

/// A side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SideArg {
    /// The repository.
    Local,
    /// The backend.
    Remote,
}

/// What a decision keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeepArg {
    /// The repository's.
    Local,
    /// The backend's.
    Remote,
    /// Both as they are.
    Both,
    /// Nobody's for now.
    Skip,
}

/// `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOnArg {
    /// Conflicts.
    Conflict,
    /// Anything to sync.
    Change,
    /// Findings that are more than a notice, and conflicts.
    Finding,
    /// Nothing.
    Never,
}

impl From<FailOnArg> for FailOn {
    fn from(arg: FailOnArg) -> Self {
        match arg {
            FailOnArg::Conflict => Self::Conflict,
            FailOnArg::Change => Self::Change,
            FailOnArg::Finding => Self::Finding,
            FailOnArg::Never => Self::Never,
        }
    }
}

/// What is wrong with the arguments; a sentence or two.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

pub(crate) fn usage(message: impl Into<String>) -> UsageError {
    UsageError(message.into())
}

impl Cli {
    /// The request to the engine; `None` for `config`, which is answered without one.
    ///
    /// # Errors
    /// Arguments that fit each other badly.
    pub fn request(&self, env: BTreeMap<String, String>) -> Result<Option<Request>, UsageError> {
        let (command, common) = match &self.command {
            Sub::Init { common, .. } => (Command::Init, Some(common)),
            // What an event asks for begins with knowing what differs.
            Sub::Status(common) | Sub::Auto(common) => (Command::Status, Some(common)),
            Sub::Diff(common) => (Command::Diff, Some(common)),
            Sub::Pull(common) => (Command::Pull, Some(common)),
            Sub::Push(common) => (Command::Push, Some(common)),
            Sub::Sync(common) => (Command::Sync, Some(common)),
            Sub::Check(common) => (Command::Check, Some(common)),
            Sub::Janitor { fix, common } => (Command::Janitor { fix: *fix }, Some(common)),
            Sub::Resolve { targets, keep, .. } => {
                let keep = match keep {
                    KeepArg::Local => Keep::Local,
                    KeepArg::Remote => Keep::Remote,
                    KeepArg::Both => Keep::Both,
                    KeepArg::Skip => Keep::Skip,
                };
                let answers = targets.iter().map(|target| (target.clone(), keep)).collect();
                (Command::Resolve { answers, lenient: false }, None)
            }
            Sub::Relabel { old, new, .. } => {
                // Parsing a selector cannot fail.
                let [Ok(old), Ok(new)] = [old, new].map(|text| text.parse::<Selector>());
                (Command::Relabel { old, new }, None)
            }
            Sub::Log { limit } => (Command::Log { limit: *limit }, None),
            Sub::Restore { side, at, common } => {
                if common.artifacts.len() != 1 {
                    return Err(usage("Name the one artifact to restore."));
                }
                let side = match side {
                    SideArg::Local => Side::Local,
                    SideArg::Remote => Side::Remote,
                };
                (Command::Restore { side, at: at.clone() }, Some(common))
            }
            Sub::Config { .. } => return Ok(None),
        };
        let forced = match self.command {
            // The run that writes is a sync.
            Sub::Auto(_) => &Command::Sync,
            _ => &command,
        };
        let mut request = Request {
            force: common.map(|common| force(forced, common.force)).transpose()?.flatten(),
            command,
            directory: self.directory.clone(),
            config: self.config.clone(),
            backends: Vec::new(),
            kinds: Vec::new(),
            artifacts: Vec::new(),
            allow: Allow::default(),
            any_branch: false,
            from_table: None,
            dry_run: false,
            full: false,
            state_ref: self.state_ref.clone(),
            env,
            config_text: None,
            default_branch: None,
            by: None,
            publish: None,
            github: None,
        };
        if let Sub::Resolve { place, .. } | Sub::Relabel { place, .. } = &self.command {
            request.backends.clone_from(&place.backend);
            request.dry_run = place.dry_run;
        }
        if let Sub::Init { from_table, .. } = &self.command {
            request.from_table.clone_from(from_table);
        }
        if let Some(common) = common {
            request.backends.clone_from(&common.backend);
            request.kinds.clone_from(&common.kind);
            // Parsing a selector cannot fail.
            request.artifacts =
                common.artifacts.iter().filter_map(|text| text.parse::<Selector>().ok()).collect();
            request.allow = allow(&common.allow)?;
            request.any_branch = common.any_branch;
            request.dry_run = common.dry_run;
            request.full = common.full;
        }
        Ok(Some(request))
    }

    /// The form of the report, where none was asked for.
    pub fn format(&self, env: &BTreeMap<String, String>) -> Format {
        self.format.unwrap_or(match crate::inputs::in_actions(env) {
            true => Format::Github,
            false => Format::Human,
        })
    }

    /// What `--fail-on` says to the janitor.
    pub fn janitor_fail_on(&self) -> FailOn {
        let given = match &self.command {
            Sub::Janitor { common, .. } | Sub::Auto(common) => common.fail_on,
            _ => None,
        };
        given.map_or(FailOn::Finding, Into::into)
    }

    /// What `--fail-on` says, for the command that knows it.
    pub fn fail_on(&self) -> Result<Option<FailOn>, UsageError> {
        let common = match &self.command {
            Sub::Check(common) | Sub::Auto(common) => {
                return Ok(Some(common.fail_on.map_or(FailOn::default(), Into::into)));
            }
            Sub::Janitor { .. } => return Ok(Some(self.janitor_fail_on())),
            Sub::Init { common, .. }
            | Sub::Status(common)
            | Sub::Diff(common)
            | Sub::Pull(common)
            | Sub::Push(common)
            | Sub::Sync(common)
            | Sub::Restore { common, .. } => common,
            Sub::Log { .. } | Sub::Resolve { .. } | Sub::Relabel { .. } | Sub::Config { .. } => {
                return Ok(None);
            }
        };
        match common.fail_on {
            Some(_) => Err(usage(
                "`--fail-on` belongs to check and janitor; the other commands exit 1 on conflicts only.",
            )),
            None => Ok(None),
        }
    }
}

fn force(command: &Command, force: Option<ForceArg>) -> Result<Option<Side>, UsageError> {
    let Some(force) = force else { return Ok(None) };
    match (command, force) {
        (Command::Pull, ForceArg::Auto | ForceArg::Remote) => Ok(Some(Side::Remote)),
        (Command::Push, ForceArg::Auto | ForceArg::Local) => Ok(Some(Side::Local)),
        (Command::Sync, ForceArg::Local) => Ok(Some(Side::Local)),
        (Command::Sync, ForceArg::Remote) => Ok(Some(Side::Remote)),
        (Command::Sync, ForceArg::Auto) => Err(usage(
            "sync goes both ways, so `--force` needs a side: `--force=local` keeps the repository's, \
             `--force=remote` the backend's.",
        )),
        (Command::Pull, ForceArg::Local) => {
            Err(usage("pull writes the repository, so it cannot force its side. Use push."))
        }
        (Command::Push, ForceArg::Remote) => {
            Err(usage("push writes the backend, so it cannot force its side. Use pull."))
        }
        (command, _) => Err(usage(format!("`--force` means nothing to {}.", command.name()))),
    }
}

fn allow(guards: &[String]) -> Result<Allow, UsageError> {
    let mut allow = Allow::default();
    for guard in guards {
        let number = |text: &str| {
            text.parse::<usize>()
                .map_err(|_| usage(format!("`--allow {guard}` needs a whole number.")))
        };
        match guard.split_once('=') {
            Some(("delete", count)) => allow.delete = Some(number(count)?),
            Some(("change", count)) => allow.change = Some(number(count)?),
            None if guard == "history" => allow.history = true,
            _ => {
                return Err(usage(format!(
                    "`--allow {guard}` is no guard. There are delete=N, change=N and history."
                )));
            }
        }
    }
    Ok(allow)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(args: &[&str]) -> Result<Option<Request>, String> {
        let args = std::iter::once("agent-sync").chain(args.iter().copied());
        let cli = Cli::try_parse_from(args).map_err(|error| error.to_string())?;
        cli.request(BTreeMap::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn force_follows_the_direction() {
        let side = |args: &[&str]| parse(args).unwrap().unwrap().force;
        assert_eq!(side(&["pull", "--force"]), Some(Side::Remote));
        assert_eq!(side(&["push", "--force", "INFRA-1"]), Some(Side::Local));
        assert_eq!(side(&["sync", "--force=local"]), Some(Side::Local));
        assert_eq!(side(&["sync"]), None);
        for wrong in
            [&["sync", "--force"][..], &["pull", "--force=local"], &["push", "--force=remote"]]
        {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn guards_are_named() {
        let request = parse(&["sync", "--allow", "delete=7,history"]).unwrap().unwrap();
        assert_eq!(request.allow, Allow { delete: Some(7), change: None, history: true });
        assert!(parse(&["sync", "--allow", "all"]).is_err());
    }
}
