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

    /// The parameters, or the tool's arguments.
    fn arguments(&self) -> Option<&RawJson>;

    /// What else is known of the request.
    fn context(&self) -> &Context;
}
