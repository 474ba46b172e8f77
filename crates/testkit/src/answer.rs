//! What came of a call.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The tool answered: the `result` member, which may say `isError`.
    Result(Value),
    /// The server refused: the `error` member.
    Refusal(Value),
    /// Nothing came in time.
    Silence {
        /// How long the client waited.
        waited: Duration,
    },
    /// The connection ended, or what came was no answer; with what is known of why.
    Loss(String),
}

/// A call and what came of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The parameters of the call.
    pub request: Value,
    /// How it ended.
    pub outcome: Outcome,
    /// How long that took.
    pub duration: Duration,
}

impl Answer {
    /// The text of the result, its blocks joined by line ends, or the message of a refusal.
    pub fn text(&self) -> String {
        match &self.outcome {
            Outcome::Result(result) => {
                let blocks = result["content"].as_array().into_iter().flatten();
                let texts = blocks.filter_map(|block| {
                    block["text"].as_str().or_else(|| block["resource"]["text"].as_str())
                });
                texts.collect::<Vec<_>>().join("\n")
            }
            Outcome::Refusal(error) => error["message"].as_str().unwrap_or_default().to_owned(),
            Outcome::Silence { .. } | Outcome::Loss(_) => String::new(),
        }
    }

    /// The structured result, if there is one.
    pub fn structured(&self) -> Option<&Value> {
        match &self.outcome {
            Outcome::Result(result) => result.get("structuredContent"),
            _ => None,
        }
    }

    /// What JSON paths select from: the structured result; without one, the text if that is JSON; else the whole result.
    pub fn data(&self) -> Value {
        if let Some(structured) = self.structured() {
            return structured.clone();
        }
        serde_json::from_str(&self.text()).unwrap_or_else(|_| self.to_json())
    }

    /// Whether the tool or the server says that this failed.
    pub fn is_error(&self) -> bool {
        match &self.outcome {
            Outcome::Result(result) => result["isError"] == true,
            Outcome::Refusal(_) => true,
            Outcome::Silence { .. } | Outcome::Loss(_) => false,
        }
    }

    /// Whether there was any answer.
    pub fn is_answered(&self) -> bool {
        matches!(self.outcome, Outcome::Result(_) | Outcome::Refusal(_))
    }

    /// The answer as it is shown in failures and snapshots: without its duration.
    pub fn to_json(&self) -> Value {
        match &self.outcome {
            Outcome::Result(result) => result.clone(),
            Outcome::Refusal(error) => json!({ "error": error }),
            Outcome::Silence { waited } => json!(format!("no answer within {waited:?}")),
            Outcome::Loss(why) => json!(format!("the connection was lost: {why}")),
        }
    }
}

impl Serialize for Answer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}
