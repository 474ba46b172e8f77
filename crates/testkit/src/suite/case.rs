//! The cases of a tool.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serde_json_path::JsonPath;

use super::SuiteError;
use crate::expectation::Expectation;
use crate::measure::{Load, Thresholds};

/// What to try on one tool.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ToolCases {
    /// Calls that work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<Case>,
    /// Calls that must give an error that is of use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Case>,
    /// Calls that are measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub performance: Vec<Performance>,
}

/// A call, and what is expected of its answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Case {
    /// What it is called in reports. Default: its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The arguments.
    pub input: Value,
    /// What the text has in it; also written `contains`. Several: all of them.
    #[serde(alias = "contains", skip_serializing_if = "Option::is_none")]
    pub expected: Option<Texts>,
    /// What the text is, or, for anything but text, the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// A regular expression that the text matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// JSON paths (RFC 9535), and what they select.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, Value>,
    /// A schema that the data keeps to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// How long the answer may take, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            name: None,
            input: json!({}),
            expected: None,
            equals: None,
            matches: None,
            json: BTreeMap::new(),
            schema: None,
            within_ms: None,
        }
    }
}

/// One text or several.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// Calls that are measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Performance {
    /// The arguments.
    pub input: Value,
    /// How many calls are measured. Default: 100.
    pub iterations: usize,
    /// How many are under way at once. Default: 1.
    pub concurrency: usize,
    /// How many calls come before, unmeasured. Default: 5.
    pub warm_up: usize,
    /// What the measurement must keep to. Default: every call succeeds.
    pub thresholds: Thresholds,
}

impl Default for Performance {
    fn default() -> Self {
        let Load { iterations, concurrency, warm_up } = Load::default();
        Self { input: json!({}), iterations, concurrency, warm_up, thresholds: Thresholds::default() }
    }
}

impl Performance {
    pub(super) fn load(&self) -> Load {
        Load { iterations: self.iterations, concurrency: self.concurrency, warm_up: self.warm_up }
    }
}

impl ToolCases {
    pub(super) fn validate(&self, tool: &str) -> Result<(), SuiteError> {
        let wrong = |list: &str, index: usize, problem: String| {
            let case = format!("number {} of `{list}`", index + 1);
            Err(SuiteError::Case { tool: tool.to_owned(), case, problem })
        };
        let inputs = [("cases", &self.cases), ("errors", &self.errors)];
        for (list, cases) in inputs {
            for (index, case) in cases.iter().enumerate() {
                if !case.input.is_object() {
                    return wrong(list, index, "`input` must be a mapping".into());
                }
                if let Err(problem) = case.expectations() {
                    return wrong(list, index, problem);
                }
            }
        }
        for (index, performance) in self.performance.iter().enumerate() {
            if performance.iterations == 0 || performance.concurrency == 0 || !performance.input.is_object() {
                let problem = "`iterations` and `concurrency` must not be 0, and `input` must be a mapping";
                return wrong("performance", index, problem.into());
            }
        }
        Ok(())
    }
}

impl Case {
    pub(super) fn named(&self, index: usize) -> String {
        self.name.clone().unwrap_or_else(|| format!("case {}", index + 1))
    }

    /// What is expected beside success or failure.
    pub(super) fn expectations(&self) -> Result<Vec<Expectation>, String> {
        let mut expectations = Vec::new();
        match &self.expected {
            Some(Texts::One(text)) => expectations.push(Expectation::Contains(text.clone())),
            Some(Texts::Several(texts)) => {
                expectations.extend(texts.iter().cloned().map(Expectation::Contains));
            }
            None => {}
        }
        expectations.extend(self.equals.clone().map(Expectation::Equals));
        if let Some(pattern) = &self.matches {
            let pattern = Regex::new(pattern).map_err(|error| format!("`matches`: {error}"))?;
            expectations.push(Expectation::Matches(pattern));
        }
        for (path, expected) in &self.json {
            let path = JsonPath::parse(path).map_err(|error| format!("`json`: {path}: {error}"))?;
            expectations.push(Expectation::Json(path, expected.clone()));
        }
        if let Some(schema) = &self.schema {
            jsonschema::validator_for(schema).map_err(|error| format!("`schema`: {error}"))?;
            expectations.push(Expectation::Schema(schema.clone()));
        }
        let limit = self.within_ms.map(Duration::from_millis);
        expectations.extend(limit.map(Expectation::Within));
        Ok(expectations)
    }
}
