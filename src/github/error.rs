//! Why GitHub did not do what was asked.

/// Why a call of the API failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GithubError {
    /// The token is not known (401).
    #[error(
        "GitHub does not accept the token: {message}. Give the action `github-token`, or set GITHUB_TOKEN."
    )]
    Token {
        /// What GitHub says.
        message: String,
    },
    /// The token may not do this (403).
    #[error(
        "GitHub does not let this token do it ({what}): {message}. Add `{permission}` to the `permissions:` of the job."
    )]
    Permission {
        /// The call, as `METHOD pattern`.
        what: &'static str,
        /// What GitHub says.
        message: String,
        /// The line that is missing in the workflow.
        permission: &'static str,
    },
    /// There is no such thing, or the token must not know of it (404).
    #[error("GitHub does not find it ({what}): {message}.")]
    NotFound {
        /// The call, as `METHOD pattern`.
        what: &'static str,
        /// What GitHub says.
        message: String,
    },
    /// The request is refused as it is (409, 422 and other 4xx).
    #[error("GitHub refuses it ({what}): {message}.")]
    Rejected {
        /// The call, as `METHOD pattern`.
        what: &'static str,
        /// Status of the answer.
        status: u16,
        /// What GitHub says.
        message: String,
    },
    /// No clear answer (5xx, a broken connection, a rate limit). A write may have taken effect.
    #[error("GitHub cannot be asked now ({what}): {message}. Try again later.")]
    Unavailable {
        /// The call, as `METHOD pattern`.
        what: &'static str,
        /// What happened.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error("GitHub gave an unexpected answer ({what}): {message}.")]
    Unexpected {
        /// The call, as `METHOD pattern`.
        what: &'static str,
        /// What is unexpected.
        message: String,
    },
}

impl GithubError {
    /// Whether a person has to change something.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Token { .. }
                | Self::Permission { .. }
                | Self::NotFound { .. }
                | Self::Rejected { .. }
        )
    }

    /// Whether there is no such thing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
