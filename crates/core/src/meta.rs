//! What a request's text says beside its subject and arguments.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytestring::ByteString;

use crate::json::RawJson;

/// A value's place in a message. A request has many of them, so each is small: no message is longer than 4 GiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    start: u32,
    /// Zero if there is no such value: none is empty.
    end: u32,
}

impl Place {
    /// The longest text whose every place can be told.
    pub(crate) const MAX_TEXT: usize = u32::MAX as usize;

    pub(crate) fn range(self) -> Option<Range<usize>> {
        (self.end > 0).then_some(self.start as usize..self.end as usize)
    }

    pub(crate) fn of(self, text: &str) -> Option<&str> {
        self.range().map(|range| &text[range])
    }

    pub(crate) fn share(self, text: &ByteString) -> Option<ByteString> {
        self.of(text).map(|part| text.slice_ref(part))
    }

    /// The value there, which a scanner has found to be JSON.
    pub(crate) fn json(self, text: &ByteString) -> Option<RawJson> {
        self.share(text).map(RawJson::trusted)
    }
}

impl From<Range<usize>> for Place {
    fn from(range: Range<usize>) -> Self {
        let narrow = |at| u32::try_from(at).expect("longer messages are refused");
        Self { start: narrow(range.start), end: narrow(range.end) }
    }
}

/// Where the members are that few requests have, or that few readers look at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Places {
    /// The value that `Mcp-Name` mirrors.
    pub(crate) subject: Place,
    pub(crate) arguments: Place,
    pub(crate) cursor: Place,
    pub(crate) input_responses: Place,
    pub(crate) request_state: Place,
    pub(crate) meta: Place,
    pub(crate) protocol_version: Place,
    pub(crate) client_info: Place,
    pub(crate) client_capabilities: Place,
    pub(crate) log_level: Place,
    pub(crate) progress_token: Place,
    pub(crate) traceparent: Place,
    pub(crate) tracestate: Place,
}

/// The `_meta` member of a request's parameters.
///
/// It holds the request's text and where in it each member is: nothing is copied or shared out until it is asked for.
#[derive(Clone, Debug, Default)]
pub struct RequestMeta {
    pub(crate) text: ByteString,
    pub(crate) places: Places,
    /// What a handshake told in place of `_meta`.
    pub(crate) client: Option<Arc<ClientInfo>>,
}

/// What a client said of itself in a handshake, as clients of revisions before 2026-07-28 do.
#[derive(Clone, Debug, Default)]
pub struct ClientInfo {
    /// Its name and version, as JSON.
    pub info: Option<RawJson>,
    /// Its capabilities, as JSON.
    pub capabilities: Option<RawJson>,
}

impl RequestMeta {
    /// The whole of `_meta`, as it came.
    pub fn raw(&self) -> Option<RawJson> {
        self.places.meta.json(&self.text)
    }

    /// What the client asked for as the request's revision, whether or not this crate speaks it. It is copied only if the
    /// client wrote it with escapes, like all text here.
    pub fn protocol_version(&self) -> Option<Cow<'_, str>> {
        self.string(self.places.protocol_version)
    }

    /// The W3C trace context's `traceparent`, unchecked.
    pub fn traceparent(&self) -> Option<Cow<'_, str>> {
        self.string(self.places.traceparent)
    }

    /// The W3C trace context's `tracestate`, unchecked.
    pub fn tracestate(&self) -> Option<Cow<'_, str>> {
        self.string(self.places.tracestate)
    }

    pub(crate) fn client_info(&self) -> Option<RawJson> {
        match &self.client {
            Some(client) => client.info.clone(),
            None => self.places.client_info.json(&self.text),
        }
    }

    pub(crate) fn client_capabilities(&self) -> Option<RawJson> {
        match &self.client {
            Some(client) => client.capabilities.clone(),
            None => self.places.client_capabilities.json(&self.text),
        }
    }

    /// The text of a member as it was written.
    pub(crate) fn written(&self, place: Place) -> Option<&str> {
        place.of(&self.text)
    }

    pub(crate) fn json(&self, place: Place) -> Option<RawJson> {
        place.json(&self.text)
    }

    fn string(&self, place: Place) -> Option<Cow<'_, str>> {
        let json = self.written(place)?;
        match serde_json::from_str(json) {
            Ok(text) => Some(Cow::Borrowed(text)),
            Err(_) => serde_json::from_str(json).ok().map(Cow::Owned),
        }
    }
}
