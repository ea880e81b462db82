//! Object names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a Git object: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits, never all zero.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Oid(String);

/// A text that is no object name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a Git object")]
pub struct BadOid(String);

impl Oid {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that stands for "no object" in repositories of this object's format.
    pub(super) fn zero(&self) -> String {
        "0".repeat(self.0.len())
    }

    /// The name made of a digest that we computed.
    pub(super) fn of_digest(hex: String) -> Self {
        Self(hex)
    }

    /// The object, or `None` for the all-zero name.
    pub(super) fn parse_or_zero(text: &str) -> Result<Option<Self>, BadOid> {
        if !text.is_empty() && text.bytes().all(|b| b == b'0') {
            Ok(None)
        } else {
            text.parse().map(Some)
        }
    }
}

impl FromStr for Oid {
    type Err = BadOid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let named = matches!(text.len(), 40 | 64) && hex && text.bytes().any(|b| b != b'0');
        if named { Ok(Self(text.to_owned())) } else { Err(BadOid(text.chars().take(80).collect())) }
    }
}

impl TryFrom<String> for Oid {
    type Error = BadOid;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> Self {
        oid.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
