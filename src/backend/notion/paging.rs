//! Walking over paged answers.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::backend::BackendError;

/// Position in a paged list. Cursors are opaque; a list that hands out one twice would never end.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    current: Option<String>,
    seen: BTreeSet<String>,
}

impl Cursor {
    /// What to send as `start_cursor`; nothing for the first page.
    pub(super) fn get(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// Takes the next cursor from an answer. `false`: that was the last page.
    pub(super) fn advance(&mut self, pattern: &str, answer: &Value) -> Result<bool, BackendError> {
        let more = answer.get("has_more").and_then(Value::as_bool).unwrap_or(false);
        let next = answer.get("next_cursor").and_then(Value::as_str);
        if !more {
            self.current = None;
            return Ok(false);
        }
        let Some(next) = next else {
            return Err(BackendError::Unavailable {
                message: format!(
                    "Notion's answer to {pattern} is cut and does not say where it goes on."
                ),
            });
        };
        if !self.seen.insert(next.to_owned()) {
            return Err(BackendError::Unavailable {
                message: format!("Notion's answers to {pattern} lead in a circle."),
            });
        }
        self.current = Some(next.to_owned());
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_ends_where_the_answer_says_so_and_never_goes_in_a_circle() {
        let mut cursor = Cursor::default();
        let mut advance = |more: bool, next: Value| {
            let more = cursor.advance("x", &json!({"has_more": more, "next_cursor": next}));
            (more, cursor.get().map(str::to_owned))
        };
        assert!(matches!(advance(true, json!("a")), (Ok(true), Some(c)) if c == "a"));
        assert!(matches!(advance(true, json!("b")), (Ok(true), Some(c)) if c == "b"));
        assert!(matches!(advance(true, json!("a")), (Err(BackendError::Unavailable { .. }), _)));
        assert!(matches!(advance(true, Value::Null), (Err(BackendError::Unavailable { .. }), _)));
        assert!(matches!(advance(false, json!("c")), (Ok(false), None)));
    }
}
