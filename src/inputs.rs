//! The inputs of the action: `INPUT_<NAME>`, upper case, hyphens kept; an empty text is "not given".
//!
//! A flag counts more than an input, an input more than the environment, that more than the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::{Cli, Common, FailOnArg, ForceArg, Sub, UsageError, usage};
use crate::config::Publish;
use crate::report::{cut, one_line};

/// An input as `action.yml` and the README describe it.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Name, in kebab case.
    pub name: &'static str,
    /// What it comes to when it is not given; Markdown.
    pub default: &'static str,
    /// What it is for, in a sentence without a period; Markdown.
    pub about: &'static str,
}

const fn input(name: &'static str, default: &'static str, about: &'static str) -> Input {
    Input { name, default, about }
}

/// All inputs. The table in the README and `action.yml` are held equal to this list by `tests/inputs.rs`.
pub const INPUTS: [Input; 11] = [
    input(
        "command",
        "`auto`",
        "What to do: `auto` (by the event), `init`, `status`, `diff`, `pull`, `push`, `sync`, `check`, `janitor`, `log` or `config`",
    ),
    input(
        "config",
        "`agent-sync.yml`, `.github/agent-sync.yml` or `.agent/agent-sync.yml`",
        "Configuration file",
    ),
    input(
        "backend",
        "all that are configured",
        "Only these backends; names parted by commas or line breaks",
    ),
    input(
        "force",
        "`false`",
        "Settle conflicts: `true` (pull takes Notion's, push the repository's), `local` or `remote`; sync needs the side",
    ),
    input(
        "allow",
        "nothing",
        "Go past a guard, once: `delete=N`, `change=N`, `history`, parted by commas or line breaks",
    ),
    input("dry-run", "`false`", "Plan, report, write nothing"),
    input(
        "fail-on",
        "`conflict`; for the janitor `finding`",
        "What makes check and janitor fail: `conflict`, `change`, `finding` or `never`",
    ),
    input("comment", "`true`", "Whether a pull request gets the comment"),
    input(
        "publish",
        "as configured, else `pull-request`",
        "How changes from Notion reach the default branch: `pull-request`, `push` or `none`",
    ),
    input("notion-token", "the variable `NOTION_TOKEN`", "Token of the Notion connection"),
    input(
        "github-token",
        "the variable `GITHUB_TOKEN`",
        "Token for comments, statuses and pull requests; usually `github.token`",
    ),
];

/// Inputs that are secrets, with the variables that they stand for.
const SECRETS: [(&str, &str); 2] =
    [("notion-token", "NOTION_TOKEN"), ("github-token", "GITHUB_TOKEN")];

/// Commands that need no argument.
const COMMANDS: [&str; 11] =
    ["auto", "init", "status", "diff", "pull", "push", "sync", "check", "janitor", "log", "config"];

/// What the inputs say.
#[derive(Debug, Default)]
pub struct Inputs {
    config: Option<PathBuf>,
    backend: Vec<String>,
    force: Option<ForceArg>,
    allow: Vec<String>,
    dry_run: bool,
    fail_on: Option<FailOnArg>,
    /// Whether a pull request gets the comment.
    pub comment: Option<bool>,
    /// How changes from a backend reach the default branch.
    pub publish: Option<Publish>,
    /// Secrets that came as inputs, to be masked.
    pub secrets: Vec<String>,
}

/// The table of inputs in Markdown.
pub fn table() -> String {
    let mut out = "| input | what | default |\n|---|---|---|\n".to_owned();
    for Input { name, about, default } in INPUTS {
        out.push_str(&format!("| `{name}` | {about} | {default} |\n"));
    }
    out
}

/// The value of an input; `None` where it is not given.
fn given<'e>(env: &'e BTreeMap<String, String>, name: &str) -> Option<&'e str> {
    let variable = format!("INPUT_{}", name.to_uppercase());
    env.get(&variable).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// Whether this process runs in GitHub Actions.
pub fn in_actions(env: &BTreeMap<String, String>) -> bool {
    env.get("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// The command of a run that was started without one, as the action is; `None` where there is none.
///
/// # Errors
/// A command that the action does not have.
pub fn command(env: &BTreeMap<String, String>) -> Result<Option<String>, UsageError> {
    let Some(name) = given(env, "command") else {
        return Ok(in_actions(env).then(|| "auto".to_owned()));
    };
    if !COMMANDS.contains(&name) {
        return Err(wrong(
            "command",
            name,
            "It is one of auto, init, status, diff, pull, push, sync, check, janitor, log and config; the other \
                          commands need arguments and a shell.",
        ));
    }
    Ok(Some(name.to_owned()))
}

fn wrong(input: &str, value: &str, instead: &str) -> UsageError {
    usage(format!("The input `{input}` is `{}`. {instead}", one_line(&cut(value, 80))))
}

/// Booleans of YAML 1.2's core schema.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn list(text: &str) -> Vec<String> {
    let parts = text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

impl Inputs {
    /// Reads them; values are checked here, whatever command they are for.
    ///
    /// # Errors
    /// A value that the input cannot have.
    pub fn read(env: &BTreeMap<String, String>) -> Result<Self, UsageError> {
        let truth = |name: &str| {
            let value = given(env, name);
            let wrong = |value| wrong(name, value, "It is `true` or `false`.");
            value.map(|value| boolean(value).ok_or_else(|| wrong(value))).transpose()
        };
        let force = match given(env, "force") {
            None => None,
            Some("local") => Some(ForceArg::Local),
            Some("remote") => Some(ForceArg::Remote),
            Some(value) => match boolean(value) {
                Some(truth) => truth.then_some(ForceArg::Auto),
                None => {
                    let instead = "It is `true`, `false`, `local` or `remote`.";
                    return Err(wrong("force", value, instead));
                }
            },
        };
        let fail_on = given(env, "fail-on").map(|value| {
            let instead = "It is `conflict`, `change`, `finding` or `never`.";
            FailOnArg::from_str(value, false).map_err(|_| wrong("fail-on", value, instead))
        });
        let publish = given(env, "publish").map(|value| match value {
            "pull-request" => Ok(Publish::PullRequest),
            "push" => Ok(Publish::Push),
            "none" => Ok(Publish::None),
            value => Err(wrong("publish", value, "It is `pull-request`, `push` or `none`.")),
        });
        Ok(Self {
            config: given(env, "config").map(PathBuf::from),
            backend: given(env, "backend").map(list).unwrap_or_default(),
            force,
            allow: given(env, "allow").map(list).unwrap_or_default(),
            dry_run: truth("dry-run")?.unwrap_or_default(),
            fail_on: fail_on.transpose()?,
            comment: truth("comment")?,
            publish: publish.transpose()?,
            secrets: secrets(env),
        })
    }

    /// Fills in what the command line left open.
    pub fn complete(&self, cli: &mut Cli) {
        if cli.config.is_none() {
            cli.config.clone_from(&self.config);
        }
        match &mut cli.command {
            Sub::Auto(common)
            | Sub::Init { common, .. }
            | Sub::Status(common)
            | Sub::Diff(common)
            | Sub::Pull(common)
            | Sub::Push(common)
            | Sub::Sync(common)
            | Sub::Check(common)
            | Sub::Janitor { common, .. }
            | Sub::Restore { common, .. } => self.complete_common(common),
            Sub::Resolve { place, .. } | Sub::Relabel { place, .. } => {
                place.dry_run |= self.dry_run;
                if place.backend.is_empty() {
                    place.backend.clone_from(&self.backend);
                }
            }
            Sub::Log { .. } | Sub::Config { .. } => {}
        }
    }

    fn complete_common(&self, common: &mut Common) {
        common.dry_run |= self.dry_run;
        common.force = common.force.or(self.force);
        common.fail_on = common.fail_on.or(self.fail_on);
        if common.backend.is_empty() {
            common.backend.clone_from(&self.backend);
        }
        if common.allow.is_empty() {
            common.allow.clone_from(&self.allow);
        }
    }
}

/// Secrets that came as inputs; they can be masked before anything else is read.
pub fn secrets(env: &BTreeMap<String, String>) -> Vec<String> {
    SECRETS.iter().filter_map(|(input, _)| given(env, input)).map(str::to_owned).collect()
}

/// The environment with the secrets of the inputs in place of its own.
pub fn environment(mut env: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for (input, variable) in SECRETS {
        if let Some(secret) = given(&env, input).map(str::to_owned) {
            env.insert(variable.to_owned(), secret);
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use agent_sync_core::model::Side;
    use clap::Parser;

    use super::*;
    use crate::engine::{Allow, Request};

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn request(args: &[&str], pairs: &[(&str, &str)]) -> Result<Request, String> {
        let env = env(pairs);
        let mut cli = Cli::try_parse_from(["agent-sync"].iter().chain(args)).unwrap();
        Inputs::read(&env).map_err(|error| error.to_string())?.complete(&mut cli);
        cli.fail_on().map_err(|error| error.to_string())?;
        let request = cli.request(environment(env)).map_err(|error| error.to_string())?;
        Ok(request.unwrap())
    }

    #[test]
    fn inputs_fill_in_what_the_flags_leave_open() {
        let inputs = [
            ("INPUT_CONFIG", "a.yml"),
            ("INPUT_BACKEND", "notion\ncache"),
            ("INPUT_FORCE", "local"),
            ("INPUT_ALLOW", "delete=4, history"),
            ("INPUT_DRY-RUN", "True"),
        ];
        let all = request(&["sync"], &inputs).unwrap();
        assert_eq!(all.config, Some("a.yml".into()));
        assert_eq!(all.backends, ["notion", "cache"]);
        assert_eq!(all.force, Some(Side::Local));
        assert_eq!(all.allow, Allow { delete: Some(4), change: None, history: true });
        assert!(all.dry_run);
        let flags = ["sync", "--config=b.yml", "--backend=x", "--force=remote", "--allow=change=1"];
        let own = request(&flags, &inputs).unwrap();
        assert_eq!(own.config, Some("b.yml".into()));
        assert_eq!(own.backends, ["x"]);
        assert_eq!(own.force, Some(Side::Remote));
        assert_eq!(own.allow, Allow { delete: None, change: Some(1), history: false });
    }

    #[test]
    fn an_empty_input_is_not_given() {
        let empty: Vec<(String, &str)> =
            INPUTS.iter().map(|one| (format!("INPUT_{}", one.name.to_uppercase()), " ")).collect();
        let empty: Vec<(&str, &str)> = empty.iter().map(|(name, v)| (name.as_str(), *v)).collect();
        let request = request(&["sync"], &empty).unwrap();
        assert!(request.config.is_none() && request.backends.is_empty() && request.force.is_none());
        assert!(!request.dry_run && request.allow == Allow::default());
        let inputs = Inputs::read(&env(&empty)).unwrap();
        assert!(inputs.comment.is_none() && inputs.publish.is_none() && inputs.secrets.is_empty());
        assert_eq!(command(&env(&empty)).unwrap(), None);
    }

    #[test]
    fn values_that_an_input_cannot_have_are_named() {
        for (name, value, says) in [
            ("DRY-RUN", "yes", "The input `dry-run` is `yes`. It is `true` or `false`."),
            ("COMMENT", "1", "The input `comment` is `1`."),
            ("FORCE", "both", "The input `force` is `both`."),
            ("FAIL-ON", "error", "The input `fail-on` is `error`."),
            ("PUBLISH", "pull_request", "The input `publish` is `pull_request`."),
            ("ALLOW", "everything", "`--allow everything` is no guard."),
        ] {
            let error = request(&["sync"], &[(&format!("INPUT_{name}"), value)]).unwrap_err();
            assert!(error.starts_with(says), "{error}");
        }
        let error = command(&env(&[("INPUT_COMMAND", "resolve x\n::error::y")])).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
    }

    #[test]
    fn force_goes_with_the_direction_of_the_command() {
        let force = |command: &str, value: &str| {
            request(&[command], &[("INPUT_FORCE", value)]).map(|request| request.force)
        };
        assert_eq!(force("pull", "true"), Ok(Some(Side::Remote)));
        assert_eq!(force("push", "TRUE"), Ok(Some(Side::Local)));
        assert_eq!(force("sync", "remote"), Ok(Some(Side::Remote)));
        assert_eq!(force("sync", "false"), Ok(None));
        for (command, value) in [("sync", "true"), ("auto", "true"), ("pull", "local")] {
            assert!(force(command, value).is_err(), "{command} {value}");
        }
    }

    #[test]
    fn the_command_comes_from_the_input_or_is_auto() {
        let of = |pairs: &[(&str, &str)]| command(&env(pairs)).map_err(|error| error.to_string());
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("GITHUB_ACTIONS", "true")]), Ok(Some("auto".to_owned())));
        assert_eq!(of(&[("INPUT_COMMAND", "sync")]), Ok(Some("sync".to_owned())));
        assert!(of(&[("INPUT_COMMAND", "--help")]).is_err());
        assert!(of(&[("INPUT_COMMAND", "restore")]).is_err());
    }

    #[test]
    fn a_secret_of_an_input_stands_for_the_variable() {
        let env = environment(env(&[
            ("INPUT_NOTION-TOKEN", "ntn_input"),
            ("NOTION_TOKEN", "ntn_environment"),
            ("INPUT_GITHUB-TOKEN", ""),
            ("GITHUB_TOKEN", "ghs_environment"),
        ]));
        assert_eq!(env["NOTION_TOKEN"], "ntn_input");
        assert_eq!(env["GITHUB_TOKEN"], "ghs_environment");
        assert_eq!(Inputs::read(&env).unwrap().secrets, ["ntn_input"]);
    }
}
