//! What clients are to do, and what they tell of it: JSON for those in other languages.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a client is to do: connect, list the tools, ask for what else there is, make the calls one after the
/// other, disconnect.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Which generation of the protocol.
    pub era: Era,
    /// Which revision to ask for in a handshake; the client's newest if it is not given. Only rmcp can be told.
    #[serde(skip)]
    pub revision: Option<&'static str>,
    /// Where the server is.
    #[serde(flatten)]
    pub target: Target,
    /// The calls, in order.
    pub calls: Vec<Step>,
    /// What else to ask for, before the calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browse: Option<Browse>,
    /// What to answer when the server asks; without it the client declares that it cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// The URI of a resource whose updates to hear of, from before the calls on, and with it of changes of the lists of
    /// tools and prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<&'static str>,
    /// The least grave level of log messages to ask for once, in the era of handshakes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<&'static str>,
}

impl Plan {
    /// These calls, with whatever revision the client prefers.
    pub fn new(era: Era, target: Target, calls: Vec<Step>) -> Self {
        Self { era, revision: None, target, calls, browse: None, answers: None, watch: None, level: None }
    }
}

/// What to answer when the server asks.
#[derive(Clone, Debug, Serialize)]
pub struct Answers {
    /// What the user fills into any form.
    pub form: Value,
    /// What the model says to anything.
    pub text: &'static str,
    /// The folder in which the client works, as a URI.
    pub root: &'static str,
}

/// Lists of resources, templates and prompts are to be asked for, and these things.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Browse {
    /// URIs to read.
    pub read: Vec<&'static str>,
    /// Prompts to get: name and arguments.
    pub get: Vec<(&'static str, Value)>,
    /// Suggestions to ask for: a reference, an argument's name, and what is typed of it.
    pub complete: Vec<(Value, &'static str, &'static str)>,
}

/// What came of a [`Browse`]. A protocol error stands there as `{"error": {"code": .., "message": ..}}`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Browsed {
    /// Resources, as the client knows them.
    pub resources: Vec<Value>,
    /// Templates.
    pub templates: Vec<Value>,
    /// Prompts.
    pub prompts: Vec<Value>,
    /// What was read.
    pub read: Vec<Value>,
    /// The prompts that were asked for.
    pub got: Vec<Value>,
    /// What was suggested.
    pub completed: Vec<Value>,
}

/// A generation of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// Each request says what it needs; `server/discover` comes first.
    Modern,
    /// A handshake, `initialize`, comes first.
    Legacy,
}

/// Where a server is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Serving Streamable HTTP there.
    Url(String),
    /// To be started so, and talked to over its standard input and output.
    Command(Vec<String>),
}

/// One call of a tool.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// The tool's name.
    pub tool: &'static str,
    /// Its arguments, an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// Whether to ask for progress.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub progress: bool,
    /// The least grave level of log messages to ask for, in the modern era.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<&'static str>,
    /// Seconds after which to cancel the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_after: Option<f64>,
    /// How many changes to wait for afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hears: Option<usize>,
}

impl Step {
    /// A plain call.
    pub fn call(tool: &'static str, arguments: Value) -> Self {
        Self { tool, arguments: Some(arguments), progress: false, log: None, cancel_after: None, hears: None }
    }

    /// Asks for progress.
    #[must_use]
    pub fn with_progress(mut self) -> Self {
        self.progress = true;
        self
    }

    /// Asks for log messages.
    #[must_use]
    pub fn with_log(mut self, level: &'static str) -> Self {
        self.log = Some(level);
        self
    }

    /// Cancels the call after that many seconds.
    #[must_use]
    pub fn cancelled_after(mut self, seconds: f64) -> Self {
        self.cancel_after = Some(seconds);
        self
    }

    /// Waits for the client to hear of that many changes.
    #[must_use]
    pub fn hearing(mut self, changes: usize) -> Self {
        self.hears = Some(changes);
        self
    }
}

/// What came of a plan.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    /// What the server says of itself.
    pub server: Option<Value>,
    /// How it wants to be used.
    pub instructions: Option<String>,
    /// Its tools, as the client knows them.
    pub tools: Vec<Value>,
    /// What came of the calls.
    pub calls: Vec<Outcome>,
    /// What came of the rest.
    #[serde(default)]
    pub browsed: Option<Browsed>,
}

impl Report {
    /// A tool by its name.
    pub fn tool(&self, name: &str) -> Option<&Value> {
        self.tools.iter().find(|tool| tool["name"] == name)
    }
}

/// What came of a call.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Outcome {
    /// Content blocks, unless it failed.
    pub content: Option<Vec<Value>>,
    /// Data.
    pub structured: Option<Value>,
    /// Whether the result says that it is a failure.
    #[serde(default)]
    pub is_error: bool,
    /// The protocol error that came instead of a result.
    pub error: Option<RpcError>,
    /// What was reported meanwhile: `progress`, `total`, `message`.
    pub progress: Vec<Value>,
    /// What was logged meanwhile: `level`, `logger`, `data`.
    pub logs: Vec<Value>,
    /// What the server asked meanwhile: methods.
    #[serde(default)]
    pub asked: Vec<String>,
    /// What has changed meanwhile: methods of notifications, each with the URI that it names.
    #[serde(default)]
    pub changed: Vec<String>,
    /// Whether the client gave up waiting.
    #[serde(default)]
    pub cancelled: bool,
}

/// A protocol error.
#[derive(Clone, Debug, Deserialize)]
pub struct RpcError {
    /// Its code.
    pub code: i64,
    /// What it says.
    pub message: String,
}

/// How a call was answered, for comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<'a> {
    /// Text, from the first block.
    Text(&'a str),
    /// The same, in a result that says that it is a failure.
    Failure(&'a str),
    /// A protocol error of that code.
    Error(i64),
    /// None: the client gave up.
    Cancelled,
    /// Something without text.
    Other,
}

impl Outcome {
    /// How the call was answered.
    pub fn answer(&self) -> Answer<'_> {
        if self.cancelled {
            return Answer::Cancelled;
        }
        if let Some(error) = &self.error {
            return Answer::Error(error.code);
        }
        match self.text() {
            Some(text) if self.is_error => Answer::Failure(text),
            Some(text) => Answer::Text(text),
            None => Answer::Other,
        }
    }

    /// The text of the first block.
    pub fn text(&self) -> Option<&str> {
        self.content.as_ref()?.first()?["text"].as_str()
    }
}
