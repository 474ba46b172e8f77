//! What is written down of one call.

use std::net::IpAddr;
use std::time::Duration;

use towline_core::{ClientAddr, Context, ErrorKind, Operation};

use crate::trace::TraceParent;

/// Callers choose names, so no more of one than this is written.
const MAX_NAME: usize = 128;
/// No more of the arguments than this is written.
const MAX_ARGUMENTS: usize = 4096;

/// Takes the records of calls.
pub trait AuditSink: Send + Sync + 'static {
    /// Takes one record. It is called on the way of the answer, so what takes time belongs elsewhere.
    fn record(&self, record: &AuditRecord<'_>);
}

/// What is written down of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRecord<'a> {
    /// Who called: the principal's id, if somebody has authenticated them.
    pub principal: Option<&'a str>,
    /// From where, as the listening socket sees it.
    pub client: Option<IpAddr>,
    /// The JSON-RPC method.
    pub method: &'a str,
    /// What it is about, such as the tool.
    pub target: Option<&'a str>,
    /// The request's id, as JSON.
    pub request_id: Option<&'a str>,
    /// The W3C trace context's trace id, if the client sent a valid one.
    pub trace_id: Option<&'a str>,
    /// Whether it was let through.
    pub decision: Decision,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// How long it took.
    pub duration: Duration,
    /// The arguments as JSON, if they are written down at all.
    pub arguments: Option<&'a str>,
}

/// Whether a call was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It was.
    Allowed,
    /// It was refused: by authentication or authorization, or by a limit.
    Refused,
}

impl Decision {
    /// A stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditOutcome {
    /// With an answer.
    Answered,
    /// With an answer that is a failure the model should know of (`isError`).
    ToolError,
    /// With a question to the user.
    InputRequired,
    /// With an error of that kind.
    Failed(ErrorKind),
    /// The client went away, or a layer around this one gave up.
    Cancelled,
}

impl AuditOutcome {
    /// A stable name; of a failure it is that of its kind.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::ToolError => "tool_error",
            Self::InputRequired => "input_required",
            Self::Failed(kind) => kind.name(),
            Self::Cancelled => "cancelled",
        }
    }

    fn decision(self) -> Decision {
        use ErrorKind::{
            CircuitOpen, Forbidden, Overloaded, RateLimited, ShuttingDown, TooLarge, Unauthenticated,
        };
        match self {
            Self::Failed(
                Unauthenticated | Forbidden | TooLarge | RateLimited | Overloaded | CircuitOpen
                | ShuttingDown,
            ) => Decision::Refused,
            _ => Decision::Allowed,
        }
    }
}

/// Writes records to the logs, as events of the level INFO and the target `towline::audit`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSink;

impl AuditSink for LogSink {
    fn record(&self, record: &AuditRecord<'_>) {
        tracing::info!(
            target: "towline::audit",
            principal = record.principal,
            client = record.client.map(tracing::field::display),
            method = record.method,
            target = record.target,
            request_id = record.request_id,
            trace_id = record.trace_id,
            decision = record.decision.name(),
            outcome = record.outcome.name(),
            duration_us = u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX),
            arguments = record.arguments,
        );
    }
}

/// What is known of a call before it runs.
#[derive(Debug)]
pub(super) struct Subject {
    context: Context,
    method: Box<str>,
    target: Option<Box<str>>,
    trace_id: Option<String>,
    arguments: Option<Box<str>>,
}

impl Subject {
    pub(super) fn new<Req: Operation>(req: &Req, with_arguments: bool) -> Self {
        let context = req.context().clone();
        let parent = context.meta().traceparent().and_then(|text| TraceParent::parse(&text));
        let trace_id = parent.map(|parent| format!("{:032x}", parent.trace_id));
        let arguments = req.arguments().filter(|_| with_arguments);
        Self {
            method: cut(req.method(), MAX_NAME).into(),
            target: req.target().map(|target| cut(target, MAX_NAME).into()),
            trace_id,
            arguments: arguments.map(|arguments| cut(arguments.as_str(), MAX_ARGUMENTS).into()),
            context,
        }
    }

    pub(super) fn record(&self, outcome: AuditOutcome, duration: Duration) -> AuditRecord<'_> {
        let context = &self.context;
        AuditRecord {
            principal: context.principal().map(towline_core::Principal::id),
            client: context.extensions().get::<ClientAddr>().map(|ClientAddr(address)| address.ip()),
            method: &self.method,
            target: self.target.as_deref(),
            request_id: context.id().map(towline_core::protocol::RequestId::as_json),
            trace_id: self.trace_id.as_deref(),
            decision: outcome.decision(),
            outcome,
            duration,
            arguments: self.arguments.as_deref(),
        }
    }
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
