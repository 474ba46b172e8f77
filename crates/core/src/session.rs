//! What transports keep of clients of older revisions, from their handshake on.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::protocol::LogLevel;
use crate::registry::Changes;

/// Whether something is kept of the client between its requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionSupport {
    /// Nothing.
    #[default]
    None,
    /// It can be, if this handshake needs it.
    Offered,
    /// It is.
    Kept,
}

/// What a handshake's answer tells the transport to keep a session for.
#[derive(Clone, Debug)]
pub struct SessionOffer {
    /// What the client is told of, if anything changes.
    pub changes: Option<Changes>,
}

/// The parameters of `initialize`, of clients of revisions before 2026-07-28.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InitializeParams {
    #[serde(default)]
    capabilities: Map<String, Value>,
}

impl InitializeParams {
    /// Whether the client can be asked for anything.
    pub(crate) fn can_give_input(&self) -> bool {
        ["elicitation", "sampling", "roots"].iter().any(|name| self.capabilities.contains_key(*name))
    }
}

/// The parameters of `logging/setLevel`, of clients of revisions before 2026-07-28.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct SetLevelParams {
    /// The least grave level of messages that the client wants.
    pub level: LogLevel,
}
