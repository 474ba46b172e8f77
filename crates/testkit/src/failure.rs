//! What is shown of a call that did not go as expected.

use std::fmt::{self, Write as _};

use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::answer::Answer;

/// How much of a request or an answer is shown: enough to see what it is, even if it is a megabyte of one letter.
const SHOWN: usize = 4000;

/// Why a call did not go as expected: the request, the answer and the difference.
#[derive(Clone, Debug, Serialize, thiserror::Error)]
#[non_exhaustive]
pub struct Failure {
    /// What is wrong, in a sentence.
    pub reason: String,
    /// The parameters of the call, as JSON text.
    pub request: String,
    /// The answer, as JSON text.
    pub answer: String,
    /// What was expected beside what came, line by line, where the two can be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
}

impl Failure {
    pub(crate) fn new(answer: &Answer, reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            request: shown(&answer.request),
            answer: shown(&answer.to_json()),
            difference: None,
        }
    }

    pub(crate) fn of_frame(reason: impl Into<String>, frame: &[u8], answer: &str) -> Self {
        let frame = String::from_utf8_lossy(frame);
        Self { reason: reason.into(), request: cut(&frame), answer: cut(answer), difference: None }
    }

    /// Adds what was expected beside what came.
    pub(crate) fn with_difference(mut self, expected: &str, actual: &str) -> Self {
        self.difference = Some(difference(expected, actual));
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\nrequest:\n{}\n\nanswer:\n{}", self.reason, self.request, self.answer)?;
        match &self.difference {
            Some(difference) => write!(f, "\n\ndifference (- expected, + answered):\n{difference}"),
            None => Ok(()),
        }
    }
}

pub(crate) fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

fn shown(value: &Value) -> String {
    cut(&pretty(value))
}

/// The text's beginning, with control characters escaped: what a server sends must not steer a terminal.
pub(crate) fn cut(text: &str) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == SHOWN {
            let _ = write!(shown, "\n... {} bytes in all", text.len());
            break;
        }
        match character {
            '\n' | '\t' => shown.push(character),
            control if control.is_control() => shown.extend(control.escape_default()),
            plain => shown.push(plain),
        }
    }
    shown
}

fn difference(expected: &str, actual: &str) -> String {
    let (expected, actual) = (cut(expected), cut(actual));
    let mut lines = String::new();
    for change in TextDiff::from_lines(expected.as_str(), actual.as_str()).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        let _ = writeln!(lines, "{sign} {}", change.value().trim_end_matches('\n'));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_line_by_line() {
        assert_eq!(difference("a\nb\n", "a\nc\n"), "  a\n- b\n+ c\n");
    }

    #[test]
    fn what_is_long_or_steers_terminals_is_not_shown_as_it_is() {
        assert_eq!(cut("\u{1b}[31mred"), "\\u{1b}[31mred");
        assert!(cut(&"x".repeat(100_000)).ends_with("\n... 100000 bytes in all"));
    }
}
