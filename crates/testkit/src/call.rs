//! A call, and what is expected of its answer.

use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};
use serde_json_path::JsonPath;

use crate::answer::Answer;
use crate::expectation::Expectation;
use crate::failure::Failure;
use crate::tester::Tester;

/// A call to a tool. Awaiting it sends it, and panics if the answer is not as expected.
#[derive(Debug)]
#[must_use = "a call is sent when it is awaited"]
pub struct Call<'a> {
    tester: &'a Tester,
    tool: String,
    arguments: Value,
    expectations: Vec<Expectation>,
    place: &'static Location<'static>,
}

impl<'a> Call<'a> {
    #[track_caller]
    pub(crate) fn new(tester: &'a Tester, tool: &str) -> Self {
        let place = Location::caller();
        Self { tester, tool: tool.to_owned(), arguments: json!({}), expectations: Vec::new(), place }
    }

    /// The arguments, a JSON object. Default: none.
    pub fn args(mut self, arguments: Value) -> Self {
        self.arguments = arguments;
        self
    }

    /// Expects this of the answer.
    pub fn expect(mut self, expectation: Expectation) -> Self {
        self.expectations.push(expectation);
        self
    }

    /// Expects an answer that is no error.
    pub fn expect_success(self) -> Self {
        self.expect(Expectation::Success)
    }

    /// Expects an answer that is no error and has this in its text.
    pub fn expect_text_contains(self, part: impl Into<String>) -> Self {
        self.expect_success().expect(Expectation::Contains(part.into()))
    }

    /// Expects an answer that is no error and whose text matches a regular expression.
    ///
    /// # Panics
    ///
    /// Panics if that is no regular expression.
    #[track_caller]
    pub fn expect_text_matches(self, pattern: &str) -> Self {
        let pattern = Regex::new(pattern).unwrap_or_else(|error| panic!("{error}"));
        self.expect_success().expect(Expectation::Matches(pattern))
    }

    /// Expects an answer that is no error, with this text, or, for anything but text, this data.
    pub fn expect_equals(self, expected: impl Into<Value>) -> Self {
        self.expect_success().expect(Expectation::Equals(expected.into()))
    }

    /// Expects a useful error with this in its message, whether the tool or the server tells it.
    pub fn expect_error(self, part: impl Into<String>) -> Self {
        self.expect(Expectation::Error).expect(Expectation::Contains(part.into()))
    }

    /// Expects data that keeps to a JSON schema.
    pub fn expect_structured(self, schema: Value) -> Self {
        self.expect_success().expect(Expectation::Schema(schema))
    }

    /// Expects that a JSON path (RFC 9535) selects this: one thing, or all of several as an array.
    ///
    /// # Panics
    ///
    /// Panics if that is no JSON path.
    #[track_caller]
    pub fn expect_json(self, path: &str, expected: impl Into<Value>) -> Self {
        let path = JsonPath::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        self.expect_success().expect(Expectation::Json(path, expected.into()))
    }

    /// Expects the answer within that time.
    pub fn expect_within(self, limit: Duration) -> Self {
        self.expect(Expectation::Within(limit))
    }

    /// Sends the call and holds the answer against what is expected.
    ///
    /// # Errors
    ///
    /// The first thing that is not as expected.
    pub async fn run(self) -> Result<Answer, Box<Failure>> {
        let answer = self.tester.exchange(&self.tool, &self.arguments).await;
        for expectation in &self.expectations {
            expectation.check(&answer)?;
        }
        Ok(answer)
    }
}

impl<'a> IntoFuture for Call<'a> {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let place = self.place;
            match self.run().await {
                Ok(answer) => answer,
                Err(failure) => panic!("{failure}\n\nthe call is at {place}"),
            }
        })
    }
}
