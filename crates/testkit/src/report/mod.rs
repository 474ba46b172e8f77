//! What came of a suite, and its forms: text, JSON, JUnit XML and a page.

mod chart;
mod html;
mod junit;
mod text;

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::failure::Failure;
use crate::measure::Measurement;
use crate::tester::ServerInfo;

/// What kind of test it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// A call that works.
    Execution,
    /// A call that must give an error.
    Errors,
    /// Input made from a schema.
    Negative,
    /// A measurement.
    Performance,
    /// An attack.
    Security,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Execution, Self::Errors, Self::Negative, Self::Performance, Self::Security];

    fn title(self) -> &'static str {
        match self {
            Self::Execution => "Tool Execution Tests",
            Self::Errors => "Error Handling Tests",
            Self::Negative => "Negative Tests",
            Self::Performance => "Performance Tests",
            Self::Security => "Security Tests",
        }
    }
}

/// What came of one test.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TestResult {
    /// What kind of test it was.
    pub kind: Kind,
    /// The tool that was tried.
    pub tool: String,
    /// What was tried.
    pub name: String,
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What was measured, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measurement: Option<Measurement>,
}

/// What came of a suite.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The name of the suite.
    pub suite: String,
    /// Who was tested.
    pub server: ServerInfo,
    /// When.
    pub started: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// What came of each test.
    pub results: Vec<TestResult>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

impl Report {
    /// How many tests passed.
    pub fn passed(&self) -> usize {
        self.results.len() - self.failed()
    }

    /// How many tests failed.
    pub fn failed(&self) -> usize {
        self.failures().count()
    }

    /// The tests that failed, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&TestResult, &Failure)> {
        self.results.iter().filter_map(|result| Some((result, result.failure.as_ref()?)))
    }

    /// The report as text for people.
    pub fn to_text(&self) -> String {
        text::write(self)
    }

    /// The report as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "suite": self.suite,
            "server": self.server,
            "started": self.date(),
            "duration_ms": crate::measure::millis(self.duration),
            "passed": self.passed(),
            "failed": self.failed(),
            "results": self.results,
            "notes": self.notes,
        })
    }

    /// The report as JUnit XML, which CI systems read.
    pub fn to_junit(&self) -> String {
        junit::write(self)
    }

    /// The report as one page of HTML that loads nothing.
    pub fn to_html(&self) -> String {
        html::write(self)
    }

    fn date(&self) -> String {
        humantime::format_rfc3339_seconds(self.started).to_string()
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &TestResult> {
        self.results.iter().filter(move |result| result.kind == kind)
    }

    /// Each tool with tests of that kind, in order, with how many passed and how many there were.
    fn counts(&self, kind: Kind) -> Vec<(&str, usize, usize)> {
        let mut counts: Vec<(&str, usize, usize)> = Vec::new();
        for result in self.of_kind(kind) {
            let place = counts.iter().position(|(tool, ..)| *tool == result.tool).unwrap_or_else(|| {
                counts.push((&result.tool, 0, 0));
                counts.len() - 1
            });
            counts[place].1 += usize::from(result.failure.is_none());
            counts[place].2 += 1;
        }
        counts
    }
}

/// The text with the characters that mean something in XML and HTML escaped, and those that XML cannot hold replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control.is_control() => escaped.push('\u{fffd}'),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_markup() {
        assert_eq!(escape("<a b=\"c\">'&\u{0}\u{1b}"), "&lt;a b=&quot;c&quot;&gt;&#39;&amp;\u{fffd}\u{fffd}");
    }
}
