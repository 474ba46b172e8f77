//! What a span tells.

use std::fmt;

use towline_core::protocol::RequestId;
use towline_core::{AnswerKind, Carrier, ClientAddr, ErrorKind, Operation};
use tracing::{Span, field};

use super::parent::TraceParent;
use crate::metrics::{ErrorType, OTHER, TOOLS_CALL, is_method, is_plain};

/// Of what a client may choose freely this many bytes are told.
const LONGEST: usize = 128;

/// Says that a request has a span already, so that one of a tool within it is its child.
#[derive(Clone, Copy)]
struct HasSpan;

/// Makes the span of a request, or a disabled one if nobody wants it.
pub(super) fn begin(req: &mut impl Operation) -> Span {
    // At a tool's own level the name is the tool's.
    let is_tool = req.name() != req.method();
    let span = if is_tool { of_tool(req) } else { of_request(req) };
    if !span.is_disabled() {
        find_parent(&span, req);
    }
    span
}

fn find_parent(span: &Span, req: &mut impl Operation) {
    let context = req.context();
    let parent = context.meta().traceparent().and_then(|text| TraceParent::parse(&text));
    if let Some(parent) = parent {
        span.record("trace_id", field::display(format_args!("{:032x}", parent.trace_id)));
    }
    if context.extensions().get::<HasSpan>().is_none() {
        #[cfg(feature = "otel")]
        if let Some(parent) = parent {
            parent.adopt(span, context.meta().tracestate().as_deref());
        }
        req.context_mut().extensions_mut().insert(HasSpan);
    }
}

/// What each attribute tells is worked out only if the span is wanted: the macro sees to it.
macro_rules! span {
    ($span:literal, $kind:literal, $req:expr, $name:expr) => {
        tracing::info_span!(
            $span,
            otel.name = field::display($name),
            otel.kind = $kind,
            otel.status_code = field::Empty,
            mcp.method.name = cut($req.method()),
            mcp.protocol.version = $req.context().version().as_str(),
            gen_ai.operation.name = (tool($req).is_some()).then_some("execute_tool"),
            gen_ai.tool.name = tool($req),
            gen_ai.prompt.name = prompt($req),
            jsonrpc.request.id = $req.context().id().map(id),
            network.transport = transport($req.context().carrier()),
            network.protocol.name = ($req.context().carrier() == Carrier::Http).then_some("http"),
            client.address = client($req).map(|ClientAddr(address)| field::display(address.ip())),
            client.port = client($req).map(|ClientAddr(address)| i64::from(address.port())),
            error.type = field::Empty,
            rpc.response.status_code = field::Empty,
            towline.cancelled = field::Empty,
            trace_id = field::Empty,
        )
    };
}

fn of_request(req: &impl Operation) -> Span {
    // Names of spans are to be few: a method that the protocol does not know is told as an attribute.
    let method = if is_method(req.method()) { req.method() } else { OTHER };
    span!("mcp.request", "server", req, Name(method, tool(req).or_else(|| prompt(req))))
}

fn of_tool(req: &impl Operation) -> Span {
    span!("mcp.tool", "internal", req, Name("execute_tool", tool(req)))
}

/// Tells how it ended.
pub(super) fn end(span: &Span, answer: Result<AnswerKind, ErrorKind>) {
    let error = match answer {
        Ok(AnswerKind::ToolError) => Some(ErrorType::TOOL_ERROR),
        Ok(_) => None,
        Err(ErrorKind::Cancelled) => return cancelled(span),
        Err(kind) => {
            span.record("rpc.response.status_code", field::display(kind.code()));
            ErrorType::of(kind)
        }
    };
    if let Some(error) = error {
        span.record("error.type", error.as_str());
        span.record("otel.status_code", "ERROR");
    }
}

/// Tells that nobody waited for the end.
pub(super) fn cancelled(span: &Span) {
    span.record("towline.cancelled", true);
}

/// What is done, and to what.
struct Name<'a>(&'a str, Option<&'a str>);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(what, target) = self;
        f.write_str(what)?;
        target.map_or(Ok(()), |target| write!(f, " {target}"))
    }
}

/// The tool's name; if no tool can have it, none.
fn tool(req: &impl Operation) -> Option<&str> {
    req.target().filter(|target| req.method() == TOOLS_CALL && is_plain(target))
}

fn prompt(req: &impl Operation) -> Option<&str> {
    req.target().filter(|target| req.method() == "prompts/get" && is_plain(target))
}

fn client(req: &impl Operation) -> Option<&ClientAddr> {
    req.context().extensions().get()
}

fn id(id: &RequestId) -> &str {
    let json = id.as_json();
    cut(json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(json))
}

const fn transport(carrier: Carrier) -> Option<&'static str> {
    match carrier {
        Carrier::Stream => Some("pipe"),
        Carrier::Http => Some("tcp"),
        _ => None,
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}
