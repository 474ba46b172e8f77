//! A file of cases.

mod case;
mod hostile;
mod init;
mod judge;
mod negative;
mod plan;
mod run;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::tester::Tester;

pub use case::{Case, Performance, Texts, ToolCases};
pub use run::Step;

/// What to try on a server.
///
/// ```
/// let suite = towline_testkit::Suite::from_yaml("
/// name: calculator
/// tools:
///   add:
///     cases:
///       - {input: {a: 1, b: 2}, json: {$.sum: 3}}
///     errors:
///       - {input: {a: one}, expected: a}
/// negative: {}
/// ")?;
/// # Ok::<_, towline_testkit::SuiteError>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Suite {
    /// What it is called in reports.
    pub name: String,
    /// How long an answer may take before it counts as none, in milliseconds. Default: 10 000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Whether a result whose text has `error` or `failed` in it counts as an error, for servers that do not say `isError`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub errors_in_text: bool,
    /// Cases for each tool.
    pub tools: BTreeMap<String, ToolCases>,
    /// Tries input made from each tool's schema, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative: Option<Negative>,
    /// Tries what attackers try, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security: Option<Security>,
}

/// Input made from each tool's schema: wrong types, missing and unknown members, bounds, odd text.
///
/// What the schema refuses must be refused, with an error that is of use. Anything else must be answered. Input that the schema
/// allows is only sent to tools that say they change nothing (`readOnlyHint`) or that the suite has cases for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Negative {
    /// Tools that are left alone.
    pub exclude: Vec<String>,
}

/// What attackers try: ways out of folders, SQL, URLs of inner networks, oversized input, malformed messages.
///
/// Its strings go to the same tools as those of [`Negative`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Security {
    /// Tools that are left alone.
    pub exclude: Vec<String>,
    /// How large the oversized input is. Default: 1 MiB.
    pub oversize_bytes: usize,
    /// Whether malformed messages are sent, over a connection of their own. Default: yes.
    pub frames: bool,
}

impl Default for Security {
    fn default() -> Self {
        Self { exclude: Vec::new(), oversize_bytes: 1024 * 1024, frames: true }
    }
}

/// What is wrong with a suite.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// It cannot be read.
    #[error("{0}")]
    Yaml(#[from] serde_norway::Error),
    /// A case cannot be right.
    #[error("{tool}: {case}: {problem}")]
    Case {
        /// The tool that it is for.
        tool: String,
        /// Which of its cases.
        case: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Suite {
    /// Reads a suite.
    ///
    /// # Errors
    ///
    /// When the text is not YAML, has unknown keys, or a pattern, path or schema in it is none.
    pub fn from_yaml(text: &str) -> Result<Self, SuiteError> {
        let suite: Self = serde_norway::from_str(text)?;
        for (tool, cases) in &suite.tools {
            cases.validate(tool)?;
        }
        Ok(suite)
    }

    /// The suite as a file.
    ///
    /// # Errors
    ///
    /// When it has values that YAML has no form for.
    pub fn to_yaml(&self) -> Result<String, SuiteError> {
        Ok(serde_norway::to_string(self)?)
    }

    /// How long a tester that runs it should wait for answers.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(10_000))
    }

    /// A first suite for a server: a case for each tool, to be looked through by whoever knows the server.
    ///
    /// # Errors
    ///
    /// When the server does not list its tools.
    pub async fn for_server(tester: &Tester) -> Result<Self, crate::ConnectError> {
        init::suite(tester).await
    }
}
