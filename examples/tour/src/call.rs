use std::time::Duration;

use rmcp::model::JsonObject;
use serde_json::Value;

/// One tool call of the tour.
pub(crate) struct Call {
    /// What the model wants to know.
    pub(crate) question: &'static str,
    pub(crate) tool: &'static str,
    pub(crate) arguments: JsonObject,
    pub(crate) expect: Expect,
    /// What the answer must say somewhere.
    pub(crate) says: &'static str,
    /// How many lines of the answer to print.
    pub(crate) lines: usize,
    /// How long to wait before it.
    pub(crate) pause: Duration,
}

/// What kind of answer the call should get.
#[derive(Clone, Copy)]
pub(crate) enum Expect {
    Answer,
    /// An error that the model can act on.
    Refusal,
}

impl Call {
    pub(crate) fn new(question: &'static str, tool: &'static str, arguments: Value) -> Self {
        let Value::Object(arguments) = arguments else { unreachable!("arguments are written as objects") };
        Self { question, tool, arguments, expect: Expect::Answer, says: "", lines: 14, pause: Duration::ZERO }
    }

    pub(crate) fn lines(mut self, lines: usize) -> Self {
        self.lines = lines;
        self
    }

    pub(crate) fn refused(mut self) -> Self {
        self.expect = Expect::Refusal;
        self
    }

    pub(crate) fn says(mut self, text: &'static str) -> Self {
        self.says = text;
        self
    }

    pub(crate) fn after(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The tool with its arguments; SQL stands on lines of its own.
    pub(crate) fn headline(&self) -> String {
        let arguments = self.arguments.iter().filter(|(name, value)| *name != "query" || !value.is_string());
        let arguments =
            arguments.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", ");
        if arguments.is_empty() { self.tool.to_owned() } else { format!("{} {{{arguments}}}", self.tool) }
    }

    pub(crate) fn sql(&self) -> &str {
        self.arguments.get("query").and_then(Value::as_str).unwrap_or_default()
    }
}
