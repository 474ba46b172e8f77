//! What a layer may know of a request.

use crate::context::Context;
use crate::json::RawJson;

/// A request at either level, the server's or a tool's, as layers see it.
///
/// A layer that keys or labels what passes asks for this and for no more, so that it fits a server, a set of
/// tools and a single tool alike.
pub trait Operation {
    /// The method at the server's level, the tool's name at a tool's: of low cardinality only where the name is
    /// known to be registered, which at the server's level it may not be.
    fn name(&self) -> &str;

    /// The JSON-RPC method: that of a tool's call is `tools/call`.
    fn method(&self) -> &str;

    /// What the method is about: the name of a tool or prompt, the URI of a resource. At the server's level the
    /// caller chose it, so it may be anything.
    fn target(&self) -> Option<&str>;

    /// The parameters, or the tool's arguments.
    fn arguments(&self) -> Option<&RawJson>;

    /// Whether doing it twice does no more than doing it once, as far as is known: a tool says so of itself
    /// (`readOnlyHint` or `idempotentHint`). At the server's level nothing is known of the tool that a
    /// `tools/call` names.
    fn is_idempotent(&self) -> bool;

    /// Whether doing it changes nothing, as far as is known: a tool says so of itself (`readOnlyHint`). Only then may
    /// an earlier answer stand in for doing it. Default: false.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Whether the answer depends on who asks, as far as is known: a tool says so of itself
    /// ([`ToolDefinition::depends_on_caller`](crate::protocol::ToolDefinition::depends_on_caller)). Then no other caller may be
    /// given it. Default: false.
    fn depends_on_caller(&self) -> bool {
        false
    }

    /// Whether the answer is the end of a stream that goes on for as long as both sides want it, as that of
    /// `subscriptions/listen`: it takes no time that counts, and no place that others wait for. Default: false.
    fn is_stream(&self) -> bool {
        false
    }

    /// What else is known of the request.
    fn context(&self) -> &Context;

    /// What else is known of the request, to add to it.
    fn context_mut(&mut self) -> &mut Context;
}
