//! What clients of revisions before 2026-07-28 agree on once, for all that follows on their stream.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use towline_core::codec::{self, Agreed};
use towline_core::protocol::ProtocolVersion;
use towline_core::{ClientInfo, Error, RawJson, Request};

/// The handshake of one stream: what `initialize` said, if there was one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshake {
    version: Option<ProtocolVersion>,
    client: Arc<ClientInfo>,
    can_be_asked: bool,
}

impl Handshake {
    /// What `initialize` has settled.
    pub(crate) fn version(&self) -> Option<ProtocolVersion> {
        self.version
    }

    /// Settles a request's revision, and adds to a request of an older one what its client said of itself.
    ///
    /// # Errors
    ///
    /// Those of [`codec::negotiate`].
    pub(crate) fn negotiate(&mut self, request: &mut Request) -> Result<(), Error> {
        codec::negotiate(request, Agreed::Handshake(self.version))?;
        let version = request.context().version();
        if version.is_modern() {
            return Ok(());
        }
        if request.method() == "initialize" {
            self.note(request, version);
        }
        if self.version.is_some() {
            request.context_mut().set_client(Arc::clone(&self.client));
        }
        if self.can_be_asked && asks(request.method()) {
            request.context_mut().set_can_be_asked();
        }
        Ok(())
    }

    fn note(&mut self, request: &Request, version: ProtocolVersion) {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Params {
            client_info: Option<Box<RawValue>>,
            capabilities: Option<Box<RawValue>>,
        }
        let params: Params = request.parse().unwrap_or_default();
        let json = |raw: Option<Box<RawValue>>| RawJson::from_text(String::from(Box::<str>::from(raw?))).ok();
        self.version = Some(version);
        let (info, capabilities) = (json(params.client_info), json(params.capabilities));
        let declared: Map<String, Value> =
            capabilities.as_ref().and_then(|json| json.parse().ok()).unwrap_or_default();
        self.can_be_asked =
            ["elicitation", "sampling", "roots"].iter().any(|name| declared.contains_key(*name));
        self.client = Arc::new(ClientInfo { info, capabilities });
    }
}

/// Whether a request of that method may ask for input (basic/patterns/mrtr, "Supported Requests").
fn asks(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read")
}
