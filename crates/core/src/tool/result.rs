//! What a tool answers.

use bytestring::ByteString;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::answer::AnswerKind;
use crate::error::Error;
use crate::input::InputRequired;
use crate::json::RawJson;
use crate::protocol::Content;
use crate::task::TaskRecord;

/// What a tool answers: content for the model, and perhaps the same as data.
///
/// A clone is cheap where it is text and data, so that an answer may be kept and given again.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    content: Vec<Content>,
    structured: Option<RawJson>,
    kind: AnswerKind,
    pending: Option<Pending>,
    /// In a box, since few have any and each answer is moved through many hands.
    meta: Option<Box<Map<String, Value>>>,
    is_volatile: bool,
}

/// Why an answer is not there yet.
#[derive(Clone, Debug, PartialEq)]
enum Pending {
    Input(Box<InputRequired>),
    Task(Box<TaskRecord>),
}

impl ToolResult {
    /// Content blocks, in order.
    pub fn new(content: impl IntoIterator<Item = Content>) -> Self {
        Self::of(content.into_iter().collect())
    }

    fn of(content: Vec<Content>) -> Self {
        Self {
            content,
            structured: None,
            kind: AnswerKind::Complete,
            pending: None,
            meta: None,
            is_volatile: false,
        }
    }

    /// One block of text.
    pub fn text(text: impl Into<ByteString>) -> Self {
        Self::of(vec![Content::text(text)])
    }

    /// Data, and the same as text for clients that do not read data. It is serialised once.
    ///
    /// # Errors
    ///
    /// When `value` has no JSON form.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let json = RawJson::from_value(value)?;
        Ok(Self::text(json.shared()).with_structured(json))
    }

    /// A failure that is an answer: something that the model should know and can act on, such as "no such city".
    /// What should count as a failure of the service is an [`Error`].
    pub fn error(text: impl Into<ByteString>) -> Self {
        Self { kind: AnswerKind::ToolError, ..Self::text(text) }
    }

    /// Asks for input before the work can go on: see [`Input`](crate::Input).
    pub(crate) fn asking(input: InputRequired) -> Self {
        let pending = Some(Pending::Input(Box::new(input)));
        Self { kind: AnswerKind::InputRequired, pending, ..Self::of(Vec::new()) }
    }

    /// The work goes on: see [`Tasks`](crate::Tasks).
    pub(crate) fn task(record: TaskRecord) -> Self {
        Self {
            kind: AnswerKind::Task,
            pending: Some(Pending::Task(Box::new(record))),
            ..Self::of(Vec::new())
        }
    }

    /// Adds data to what is there.
    #[must_use]
    pub fn with_structured(mut self, structured: RawJson) -> Self {
        self.structured = Some(structured);
        self
    }

    /// Adds a content block.
    #[must_use]
    pub fn with_content(mut self, content: Content) -> Self {
        self.content.push(content);
        self
    }

    /// Sets metadata of the server's own. Keys need a prefix in reverse DNS notation, such as `com.example/`.
    #[must_use]
    pub fn with_meta(mut self, meta: Map<String, Value>) -> Self {
        self.meta = Some(Box::new(meta));
        self
    }

    /// Says that the same call may have another answer a moment later although no data has changed, as if it asked for
    /// the time: no cache keeps it, whatever its policy.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// The content blocks.
    pub fn content(&self) -> &[Content] {
        &self.content
    }

    /// The data.
    pub fn structured(&self) -> Option<&RawJson> {
        self.structured.as_ref()
    }

    /// Whether it is a failure that the model should read.
    pub fn is_error(&self) -> bool {
        self.kind == AnswerKind::ToolError
    }

    /// What it says of the work.
    pub fn kind(&self) -> AnswerKind {
        self.kind
    }

    /// Whether it must not be given again.
    pub fn is_volatile(&self) -> bool {
        self.is_volatile
    }

    pub(crate) fn input(&self) -> Option<&InputRequired> {
        match &self.pending {
            Some(Pending::Input(input)) => Some(input),
            _ => None,
        }
    }

    pub(crate) fn task_record(&self) -> Option<&TaskRecord> {
        match &self.pending {
            Some(Pending::Task(record)) => Some(record),
            _ => None,
        }
    }

    /// Metadata of the server's own.
    pub fn meta(&self) -> Option<&Map<String, Value>> {
        self.meta.as_deref()
    }

    /// The first text block.
    pub fn first_text(&self) -> Option<&str> {
        self.content.iter().find_map(Content::as_text)
    }
}
