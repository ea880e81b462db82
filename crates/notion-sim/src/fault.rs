//! Faults on demand.

use std::time::Duration;

use serde::Deserialize;

/// A fault that hits some requests.
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    /// Which requests: an endpoint such as `POST /v1/pages`, or a method; `None` means all.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Matching requests to let pass first.
    #[serde(default)]
    pub skip: usize,
    /// Matching requests to hit after that.
    #[serde(default = "one")]
    pub count: usize,
    /// What happens to them.
    pub kind: FaultKind,
}

fn one() -> usize {
    1
}

/// What a fault does. In JSON: `{"name": …, …}`, times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum FaultKind {
    /// 429 with Retry-After in seconds; nothing happens.
    RateLimited {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// 409 `conflict_error`; nothing happens.
    Conflict409,
    /// This status before anything happens.
    ErrorBefore {
        /// HTTP status, 5xx.
        status: u16,
    },
    /// This status after a write took effect.
    ErrorAfter {
        /// HTTP status, 5xx.
        status: u16,
        /// Whether the answer tells what was saved and not to repeat the write (notion-api.md 6.2).
        with_guidance: bool,
    },
    /// 529 with Retry-After in seconds; nothing happens.
    Overload529 {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// An HTML page from the edge, with `cf-ray` and without a request id; nothing happens.
    EdgeHtml {
        /// HTTP status.
        status: u16,
    },
    /// The connection is reset before anything happens.
    ResetBefore,
    /// The connection is reset after the effect, without an answer.
    ResetAfter,
    /// No answer for so long, then the connection is closed; nothing happens.
    StallBefore {
        /// Time without an answer.
        #[serde(with = "millis")]
        after: Duration,
    },
    /// The effect, then no answer for so long, then the connection is closed.
    StallAfter {
        /// Time without an answer.
        #[serde(with = "millis")]
        after: Duration,
    },
    /// The connection is reset at once, and the effect comes so much later: the server was still at it
    /// (notion-api.md 2 gives it 60 s).
    LateEffect {
        /// Real time until the effect.
        #[serde(with = "millis")]
        after: Duration,
    },
    /// The effect, then an answer that ends in the middle of its body.
    TruncatedBody,
    /// An `update_content` with several items silently skips its first one and answers 200.
    SkipHunk,
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

impl Fault {
    fn matches(&self, endpoint: &str, hunks: usize) -> bool {
        if self.kind == FaultKind::SkipHunk && hunks < 2 {
            return false;
        }
        match &self.endpoint {
            None => true,
            Some(wanted) => wanted == endpoint || endpoint.split(' ').next() == Some(wanted),
        }
    }
}

/// Takes the fault that hits this request, if any. All matching faults count it.
pub(crate) fn take(faults: &mut Vec<Fault>, endpoint: &str, hunks: usize) -> Option<FaultKind> {
    let mut hit = None;
    for fault in faults.iter_mut().filter(|fault| fault.matches(endpoint, hunks)) {
        if fault.skip > 0 {
            fault.skip -= 1;
        } else if hit.is_none() && fault.count > 0 {
            fault.count -= 1;
            hit = Some(fault.kind);
        }
    }
    faults.retain(|fault| fault.count > 0);
    hit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_skips_counts_and_goes() {
        let fault = |endpoint: &str, skip, count| Fault {
            endpoint: Some(endpoint.to_owned()),
            skip,
            count,
            kind: FaultKind::Conflict409,
        };
        let mut faults = vec![fault("POST /v1/pages", 1, 2)];
        let hits: Vec<bool> =
            (0..4).map(|_| take(&mut faults, "POST /v1/pages", 0).is_some()).collect();
        assert_eq!(hits, [false, true, true, false]);
        assert!(faults.is_empty());
        faults.push(fault("PATCH", 0, 1));
        assert!(take(&mut faults, "POST /v1/pages", 0).is_none());
        assert!(take(&mut faults, "PATCH /v1/pages/{id}", 0).is_some());
    }
}
