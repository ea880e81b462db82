//! What the environment says about GitHub (docs.github.com, "Variables reference").

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::client::{Client, Tuning};

/// The public API.
const API: &str = "https://api.github.com";
/// Its GraphQL.
const GRAPHQL: &str = "https://api.github.com/graphql";
/// The public web server.
const SERVER: &str = "https://github.com";

/// A value of the environment that cannot be one of GitHub's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadContext(String);

/// The repository and the run. Every value is checked before it becomes part of an address.
#[derive(Clone, Debug)]
pub struct Context {
    /// `owner/name`.
    pub repository: String,
    /// Address of the API, without a slash at its end; with a path on GitHub Enterprise Server.
    pub api: String,
    /// Address of GraphQL.
    pub graphql: String,
    /// Address of the web server, without a slash at its end.
    pub server: String,
    /// The token; `None` where none was given.
    pub token: Option<SecretString>,
    /// The run of the workflow.
    pub run_id: Option<u64>,
}

impl Context {
    /// The context of a job of GitHub Actions; `None` anywhere else.
    ///
    /// # Errors
    /// [`BadContext`] for values that no runner sets.
    pub fn of(env: &BTreeMap<String, String>) -> Result<Option<Self>, BadContext> {
        let get = |name: &str| env.get(name).map(|value| value.trim()).filter(|v| !v.is_empty());
        if get("GITHUB_ACTIONS") != Some("true") {
            return Ok(None);
        }
        let Some(repository) = get("GITHUB_REPOSITORY") else { return Ok(None) };
        if !is_repository(repository) {
            return Err(BadContext(
                "GITHUB_REPOSITORY is not of the form `owner/name`.".to_owned(),
            ));
        }
        let address = |name: &str, default: &str| {
            let text = get(name).unwrap_or(default).trim_end_matches('/');
            let url = reqwest::Url::parse(text)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
                .filter(|url| url.username().is_empty() && url.password().is_none())
                .filter(|url| url.query().is_none() && url.fragment().is_none());
            url.map(|_| text.to_owned())
                .ok_or_else(|| BadContext(format!("{name} is no http or https URL.")))
        };
        Ok(Some(Self {
            repository: repository.to_owned(),
            api: address("GITHUB_API_URL", API)?,
            graphql: address("GITHUB_GRAPHQL_URL", GRAPHQL)?,
            server: address("GITHUB_SERVER_URL", SERVER)?,
            token: get("GITHUB_TOKEN").map(SecretString::from),
            run_id: get("GITHUB_RUN_ID").and_then(|id| id.parse().ok()),
        }))
    }

    /// A client, where there is a token.
    ///
    /// # Errors
    /// [`BadContext`] when the token cannot be sent, or TLS cannot be set up.
    pub fn client(&self) -> Result<Option<Client>, BadContext> {
        let Some(token) = &self.token else { return Ok(None) };
        Client::new(self, token.clone(), Tuning::default()).map(Some).map_err(BadContext)
    }

    /// Address of the run's log.
    pub fn run_url(&self) -> Option<String> {
        let id = self.run_id?;
        Some(format!("{}/{}/actions/runs/{id}", self.server, self.repository))
    }
}

/// `owner/name` as GitHub lets them be.
fn is_repository(text: &str) -> bool {
    let part = |text: &str| {
        !matches!(text, "" | "." | "..")
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    text.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pairs: &[(&str, &str)]) -> Result<Option<Context>, BadContext> {
        let actions = [("GITHUB_ACTIONS", "true"), ("GITHUB_REPOSITORY", "org/repo")];
        let pairs = actions.iter().chain(pairs);
        Context::of(&pairs.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn values_that_no_runner_sets_are_refused() {
        for repository in ["org", "org/repo/..", "../x", "org/", "a b/c", "o/r?x=1", "o/%2e%2e"] {
            assert!(context(&[("GITHUB_REPOSITORY", repository)]).is_err(), "{repository}");
        }
        for url in ["ftp://x", "api", "http://u:p@host", "https://x/?token=1"] {
            assert!(context(&[("GITHUB_API_URL", url)]).is_err(), "{url}");
        }
    }

    #[test]
    fn an_enterprise_server_keeps_its_path() {
        let pairs = [
            ("GITHUB_API_URL", "https://ghes.example/api/v3/"),
            ("GITHUB_SERVER_URL", "https://ghes.example"),
            ("GITHUB_RUN_ID", "12"),
        ];
        let context = context(&pairs).unwrap().unwrap();
        assert_eq!(context.api, "https://ghes.example/api/v3");
        assert_eq!(
            context.run_url().as_deref(),
            Some("https://ghes.example/org/repo/actions/runs/12")
        );
    }

    #[test]
    fn outside_of_actions_there_is_none() {
        assert!(Context::of(&BTreeMap::new()).unwrap().is_none());
    }
}
