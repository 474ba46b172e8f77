//! What an answer must be like.

use std::time::Duration;

use regex::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::answer::{Answer, Outcome};
use crate::failure::{Failure, pretty};
use crate::leak;

/// One thing that an answer must be like.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Expectation {
    /// It is no error.
    Success,
    /// It is an error, of the tool or of the server, whose message is of use: there is one, and it is no stack trace.
    Error,
    /// The text, or the message of an error, has this in it.
    Contains(String),
    /// The text is this, or, for anything but text, the data.
    Equals(Value),
    /// The text matches.
    Matches(Regex),
    /// What the path selects from the [data](Answer::data) is this: one thing, or all of several as an array.
    Json(JsonPath, Value),
    /// The [data](Answer::data) keeps to this schema.
    Schema(Value),
    /// It came within that time.
    Within(Duration),
}

impl Expectation {
    /// Holds an answer against it.
    ///
    /// # Errors
    ///
    /// What is different.
    pub fn check(&self, answer: &Answer) -> Result<(), Failure> {
        let fail = |reason: String| Err(Failure::new(answer, reason));
        match &answer.outcome {
            Outcome::Silence { waited } => return fail(format!("no answer within {waited:?}")),
            Outcome::Loss(why) => return fail(format!("the connection was lost: {why}")),
            Outcome::Result(_) | Outcome::Refusal(_) => {}
        }
        match self {
            Self::Success if answer.is_error() => fail("an error was not expected".into()),
            Self::Success => Ok(()),
            Self::Error if !answer.is_error() => fail("an error was expected".into()),
            Self::Error => leak::judge(&answer.text()).or_else(fail),
            Self::Contains(part) => {
                let text = answer.text();
                if text.contains(part) {
                    return Ok(());
                }
                Err(Failure::new(answer, format!("{part:?} is not in the text")).with_difference(part, &text))
            }
            Self::Equals(expected) => {
                let actual = match expected {
                    Value::String(_) => answer.text().into(),
                    _ => answer.data(),
                };
                equal(answer, "the answer is not what was expected", expected, &actual)
            }
            Self::Matches(pattern) => {
                let text = answer.text();
                if pattern.is_match(&text) {
                    return Ok(());
                }
                let failure = Failure::new(answer, format!("the text does not match /{pattern}/"));
                Err(failure.with_difference(pattern.as_str(), &text))
            }
            Self::Json(path, expected) => {
                let data = answer.data();
                let found = path.query(&data).all();
                let actual = match found.as_slice() {
                    [] => {
                        let failure = Failure::new(answer, format!("{path} selects nothing"));
                        return Err(failure.with_difference(&pretty(expected), ""));
                    }
                    [one] => (*one).clone(),
                    several => several.iter().map(|value| (*value).clone()).collect(),
                };
                equal(answer, &format!("{path} is not what was expected"), expected, &actual)
            }
            Self::Schema(schema) => {
                let validator = match jsonschema::validator_for(schema) {
                    Ok(validator) => validator,
                    Err(error) => return fail(format!("the expected schema is none: {error}")),
                };
                let data = answer.data();
                let wrong: Vec<_> = validator
                    .iter_errors(&data)
                    .map(|error| match error.instance_path().as_str() {
                        "" => error.to_string(),
                        place => format!("{place}: {error}"),
                    })
                    .collect();
                if wrong.is_empty() {
                    return Ok(());
                }
                fail(format!("the answer does not keep to the schema: {}", wrong.join("; ")))
            }
            Self::Within(limit) if answer.duration > *limit => {
                fail(format!("it took {:?}, and may take {limit:?}", answer.duration))
            }
            Self::Within(_) => Ok(()),
        }
    }
}

fn equal(answer: &Answer, reason: &str, expected: &Value, actual: &Value) -> Result<(), Failure> {
    if expected == actual {
        return Ok(());
    }
    Err(Failure::new(answer, reason).with_difference(&pretty(expected), &pretty(actual)))
}
