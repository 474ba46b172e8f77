//! What a prompt gives.

use bytestring::ByteString;
use serde_json::{Map, Value};

use crate::answer::AnswerKind;
use crate::json::RawJson;
use crate::protocol::PromptMessage;
use crate::tool::InputRequired;

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

    /// Asks for input before the prompt can be made: the client gathers it and sends the request again, with the answers
    /// ([`Context::input_responses`](crate::Context::input_responses)) and `state`.
    ///
    /// It works as [`ToolResult::input_required`](crate::ToolResult::input_required) does.
    pub fn input_required(requests: RawJson, state: Option<ByteString>) -> Self {
        Self { input: Some(Box::new(InputRequired { requests, state })), ..Self::new([]) }
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
