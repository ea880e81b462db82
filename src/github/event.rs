//! The event that started a workflow (docs.github.com, "Webhook events and payloads"). Everything in it is written by
//! others: it is read into numbers, names of commits and checked names, and into texts that are only ever data.

use std::collections::BTreeMap;
use std::io::Read as _;

use serde::Deserialize;
use serde_json::Value;

/// Largest payload that is read; GitHub sends up to 25 MB.
const CAP: u64 = 32 * 1024 * 1024;

/// Why the event cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("The event of this run cannot be read: {0}.")]
pub struct BadEvent(String);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A pull request was opened or changed; the job has the rights of its author.
    PullRequest(PullRequest),
    /// The same, with the rights of the base: what is checked out may be hostile.
    PullRequestTarget(PullRequest),
    /// Pull requests are about to be merged by a queue, which asks for its checks.
    MergeGroup(MergeGroup),
    /// A push to a branch.
    Push {
        /// Name of the branch; `None` for a tag.
        branch: Option<String>,
    },
    /// The clock.
    Schedule,
    /// A person or another program asked for a run.
    Dispatch,
    /// A comment on an issue or a pull request was written or edited.
    Comment(Comment),
    /// An issue was edited.
    Issue(Issue),
    /// Anything else.
    Other,
}

/// A pull request, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Newest commit of its branch.
    pub head: String,
    /// Newest commit of its base.
    pub base: String,
    /// Name of its base branch.
    pub base_branch: String,
    /// Whether its branch is in another repository.
    pub fork: bool,
}

/// What a merge queue is about to merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeGroup {
    /// The commit that the base branch is to get.
    pub head: String,
    /// The commit that it is on.
    pub base: String,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: u64,
    /// Whether it was just written, and not edited.
    pub created: bool,
    /// Number of its issue or pull request.
    pub number: u64,
    /// Whether that is a pull request.
    pub on_pull_request: bool,
    /// Who wrote or edited it.
    pub sender: Sender,
    /// Its text.
    pub body: String,
}

/// An issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Its number.
    pub number: u64,
    /// Who edited it.
    pub sender: Sender,
}

/// Who caused an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Login.
    pub login: String,
    /// Whether it is a program.
    pub is_bot: bool,
}

/// An event, and what it says of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What happened.
    pub event: Event,
    /// Name of the default branch.
    pub default_branch: Option<String>,
}

impl Told {
    /// Reads the event of a job; `None` outside of one.
    ///
    /// # Errors
    /// [`BadEvent`] when the payload is not there, or is not what its event promises.
    pub fn of(env: &BTreeMap<String, String>) -> Result<Option<Self>, BadEvent> {
        let Some(name) = env.get("GITHUB_EVENT_NAME") else { return Ok(None) };
        let payload = match env.get("GITHUB_EVENT_PATH") {
            Some(path) => read(path)?,
            None => Value::Null,
        };
        Self::parse(name, &payload).map(Some)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`BadEvent`].
    pub fn parse(name: &str, payload: &Value) -> Result<Self, BadEvent> {
        let default_branch = payload["repository"]["default_branch"].as_str();
        let default_branch = default_branch.filter(|name| is_branch(name)).map(str::to_owned);
        let event = match name {
            "pull_request" => Event::PullRequest(pull_request(payload)?),
            "pull_request_target" => Event::PullRequestTarget(pull_request(payload)?),
            "merge_group" if payload["action"] == "checks_requested" => {
                let group = &payload["merge_group"];
                Event::MergeGroup(MergeGroup {
                    head: commit(group, "head_sha")?,
                    base: commit(group, "base_sha")?,
                })
            }
            "push" => {
                let reference: String = field(payload, "ref")?;
                let branch = reference.strip_prefix("refs/heads/").filter(|name| is_branch(name));
                Event::Push { branch: branch.map(str::to_owned) }
            }
            "schedule" => Event::Schedule,
            "workflow_dispatch" | "repository_dispatch" => Event::Dispatch,
            "issue_comment" => comment(payload)?,
            "issues" if payload["action"] == "edited" => Event::Issue(Issue {
                number: field(&payload["issue"], "number")?,
                sender: sender(payload)?,
            }),
            _ => Event::Other,
        };
        Ok(Self { event, default_branch })
    }
}

fn read(path: &str) -> Result<Value, BadEvent> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| BadEvent(error.to_string()))?;
    file.take(CAP).read_to_string(&mut text).map_err(|error| BadEvent(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| BadEvent(error.to_string()))
}

fn field<T: for<'de> Deserialize<'de>>(value: &Value, name: &str) -> Result<T, BadEvent> {
    T::deserialize(&value[name]).map_err(|_| BadEvent(format!("`{name}` is not what it should be")))
}

fn pull_request(payload: &Value) -> Result<PullRequest, BadEvent> {
    let pull = &payload["pull_request"];
    let (head, base) = (&pull["head"], &pull["base"]);
    let base_branch: String = field(base, "ref")?;
    if !is_branch(&base_branch) {
        return Err(BadEvent("the base branch has no name".to_owned()));
    }
    Ok(PullRequest {
        number: field(pull, "number")?,
        head: commit(head, "sha")?,
        base: commit(base, "sha")?,
        base_branch,
        // The repository of a branch is gone when the fork was deleted.
        fork: head["repo"]["full_name"].is_null()
            || head["repo"]["full_name"] != base["repo"]["full_name"],
    })
}

fn commit(of: &Value, name: &str) -> Result<String, BadEvent> {
    let sha: String = field(of, name)?;
    let good = matches!(sha.len(), 40 | 64) && sha.bytes().all(|b| b.is_ascii_hexdigit());
    if good { Ok(sha) } else { Err(BadEvent("a commit has no name".to_owned())) }
}

fn comment(payload: &Value) -> Result<Event, BadEvent> {
    let (issue, comment) = (&payload["issue"], &payload["comment"]);
    let created = match payload["action"].as_str() {
        Some("created") => true,
        Some("edited") => false,
        _ => return Ok(Event::Other),
    };
    Ok(Event::Comment(Comment {
        id: field(comment, "id")?,
        created,
        number: field(issue, "number")?,
        on_pull_request: !issue["pull_request"].is_null(),
        sender: sender(payload)?,
        body: comment["body"].as_str().unwrap_or_default().to_owned(),
    }))
}

fn sender(payload: &Value) -> Result<Sender, BadEvent> {
    let sender = &payload["sender"];
    let login: String = field(sender, "login")?;
    if !is_login(&login) {
        return Err(BadEvent("the sender has no name".to_owned()));
    }
    Ok(Sender { is_bot: sender["type"] == "Bot" || login.ends_with("[bot]"), login })
}

/// Whether a text can be an account's name and nothing else: it becomes a part of addresses.
fn is_login(login: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_[]".contains(c);
    (1..=100).contains(&login.len()) && login.chars().all(plain)
}

/// Whether a text can be a branch's name and nothing else.
fn is_branch(name: &str) -> bool {
    crate::repo::git::check_ref(&format!("refs/heads/{name}")).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHA: &str = "5ea3e94331e4fb6fe2ef896c549e5d3f4ad0e065";

    fn payload(head: &Value) -> Value {
        let base = json!({"sha": SHA, "ref": "main", "repo": {"full_name": "o/r"}});
        json!({
            "pull_request": {"number": 7, "head": head, "base": base},
            "repository": {"default_branch": "main"},
        })
    }

    #[test]
    fn a_pull_request_is_a_forks_unless_its_branch_is_here() {
        let fork = |repo: Value| {
            let head = json!({"sha": SHA, "ref": "x", "repo": repo});
            match Told::parse("pull_request", &payload(&head)).unwrap().event {
                Event::PullRequest(pull) => pull.fork,
                other => panic!("{other:?}"),
            }
        };
        assert!(!fork(json!({"full_name": "o/r"})));
        assert!(fork(json!({"full_name": "eve/r"})));
        assert!(fork(Value::Null), "the fork was deleted");
    }

    #[test]
    fn values_that_could_act_in_an_address_are_refused() {
        for sha in ["", "main", "../../x", "5ea3e94331e4fb6fe2ef896c549e5d3f4ad0e06/"] {
            let head = json!({"sha": sha, "ref": "x", "repo": {"full_name": "o/r"}});
            assert!(Told::parse("pull_request", &payload(&head)).is_err(), "{sha}");
        }
        for name in ["../x", "a b", "a\nb", "-", "x..y"] {
            let told = Told::parse("push", &json!({"ref": format!("refs/heads/{name}")})).unwrap();
            let expected = (name == "-").then(|| "-".to_owned());
            assert_eq!(told.event, Event::Push { branch: expected }, "{name}");
        }
    }

    #[test]
    fn a_sender_is_an_account() {
        let told = |login: &str| {
            let sender = json!({"login": login, "type": "User"});
            let edited = json!({"action": "edited", "issue": {"number": 7}, "sender": sender});
            Told::parse("issues", &edited)
        };
        for login in ["ada", "Ada-L", "ada_corp", "dependabot[bot]"] {
            assert!(told(login).is_ok(), "{login}");
        }
        for login in ["", "..", "../x", "a/b", "a b", "a\n", "a?b", "a%2fb", "é", &"a".repeat(101)]
        {
            assert!(told(login).is_err(), "{login}");
        }
    }

    #[test]
    fn what_is_not_known_is_no_error() {
        for name in ["star", "issues", "merge_group", ""] {
            assert_eq!(Told::parse(name, &Value::Null).unwrap().event, Event::Other);
        }
        assert!(Told::parse("issue_comment", &json!({"action": "created"})).is_err());
        let group = |head: &str| {
            let group = json!({"head_sha": head, "base_sha": SHA});
            Told::parse("merge_group", &json!({"action": "checks_requested", "merge_group": group}))
        };
        assert!(group(SHA).is_ok() && group("../x").is_err());
    }
}
