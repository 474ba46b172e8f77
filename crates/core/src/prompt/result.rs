//! What a prompt gives.

use serde_json::{Map, Value};

use crate::answer::AnswerKind;
use crate::input::InputRequired;
use crate::protocol::PromptMessage;

/// What a prompt gives: messages, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptResult {
    messages: Vec<PromptMessage>,
    description: Option<String>,
    input: Option<Box<InputRequired>>,
    meta: Option<Map<String, Value>>,
}

impl PromptResult {
    /// Messages, in order.
    pub fn new(messages: impl IntoIterator<Item = PromptMessage>) -> Self {
        Self { messages: messages.into_iter().collect(), description: None, input: None, meta: None }
    }

    /// Asks for input first: see [`Input`](crate::Input).
    pub(crate) fn asking(input: InputRequired) -> Self {
        Self { input: Some(Box::new(input)), ..Self::new([]) }
    }

    /// Says what these messages are, where that is more than the prompt's definition says.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Adds metadata of the server's own.
    #[must_use]
    pub fn with_meta(mut self, meta: Map<String, Value>) -> Self {
        self.meta = Some(meta);
        self
    }

    /// The messages.
    pub fn messages(&self) -> &[PromptMessage] {
        &self.messages
    }

    /// What the messages are.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What it says of the work.
    pub fn kind(&self) -> AnswerKind {
        if self.input.is_some() { AnswerKind::InputRequired } else { AnswerKind::Complete }
    }

    /// Metadata of the server's own.
    pub fn meta(&self) -> Option<&Map<String, Value>> {
        self.meta.as_ref()
    }

    pub(crate) fn input(&self) -> Option<&InputRequired> {
        self.input.as_deref()
    }
}
