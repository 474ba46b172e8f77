//! What is known of a request beyond its method and parameters.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::codec::{self, HeaderParams};
use crate::error::Error;
use crate::extensions::Extensions;
use crate::input::Supplied;
use crate::json::RawJson;
use crate::meta::{ClientInfo, RequestMeta};
use crate::notifier::Notifier;
use crate::principal::{Carrier, Principal};
use crate::protocol::{Implementation, LogLevel, ProtocolVersion, RequestId};
use crate::session::SessionSupport;
use crate::task::Teller;

/// What is known of a request beyond its method and parameters. A clone is a few refcounts.
#[derive(Clone, Debug)]
pub struct Context {
    version: ProtocolVersion,
    meta: Arc<RequestMeta>,
    notifier: Option<Arc<Notifier>>,
    headers: Option<Arc<HeaderParams>>,
    extensions: Extensions,
    id: Option<RequestId>,
    carrier: Carrier,
    can_be_asked: bool,
    session: SessionSupport,
    /// What the session's client has asked for, in place of what `_meta` says.
    session_log_level: Option<LogLevel>,
    deadline: Option<Instant>,
}

impl Default for Context {
    /// A request of the latest revision without metadata, as code that calls a server directly makes it.
    fn default() -> Self {
        Self::new(ProtocolVersion::LATEST, Arc::default())
    }
}

impl Context {
    pub(crate) fn new(version: ProtocolVersion, meta: Arc<RequestMeta>) -> Self {
        Self {
            version,
            meta,
            notifier: None,
            headers: None,
            extensions: Extensions::default(),
            id: None,
            carrier: Carrier::InProcess,
            can_be_asked: false,
            session: SessionSupport::None,
            session_log_level: None,
            deadline: None,
        }
    }

    pub(crate) fn with_id(mut self, id: Option<&RequestId>) -> Self {
        self.id = id.cloned();
        self
    }

    /// The id by which the client knows the request; none of a request made in code.
    pub fn id(&self) -> Option<&RequestId> {
        self.id.as_ref()
    }

    /// What carries the request.
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// Says what carries the request; for transports.
    pub fn set_carrier(&mut self, carrier: Carrier) {
        self.carrier = carrier;
    }

    /// Whether the client can be asked for input: one of an older revision only on a connection that carries requests to it.
    pub fn can_be_asked(&self) -> bool {
        self.version.is_modern() || self.can_be_asked
    }

    /// Says that the client of an older revision can be asked for input; for transports, which then ask it.
    pub fn set_can_be_asked(&mut self) {
        self.can_be_asked = true;
    }

    /// Whether something is kept of the client between its requests.
    pub fn session(&self) -> SessionSupport {
        self.session
    }

    /// Says whether something is kept of the client between its requests, and which log messages it has asked for then; for
    /// transports.
    pub fn set_session(&mut self, session: SessionSupport, log_level: Option<LogLevel>) {
        self.session = session;
        self.session_log_level = log_level;
    }

    /// Who the request is made for, if a layer has found out.
    pub fn principal(&self) -> Option<&Principal> {
        self.extensions.get()
    }

    /// When the answer must be there, if a layer has set a time.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How much time is left until the [deadline](Self::deadline): zero once it has passed.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Sets a deadline; one that is set already stays if it is earlier. Returns the one that counts.
    pub fn tighten_deadline(&mut self, deadline: Instant) -> Instant {
        let earliest = self.deadline.map_or(deadline, |own| own.min(deadline));
        self.deadline = Some(earliest);
        earliest
    }

    /// Sets a deadline in place of the one that is set: for work that goes on for others when this request is over.
    pub fn replace_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// The answers to the input that an earlier answer asked for (`inputResponses`), by the keys that it gave them, as they
    /// came. [`Input`](crate::Input) reads them.
    pub fn input_responses(&self) -> Option<RawJson> {
        self.meta.json(self.meta.places.input_responses)
    }

    /// The state that an earlier answer gave the client to send back (`requestState`), as it came: it may be anything.
    pub fn request_state(&self) -> Option<RawJson> {
        self.meta.json(self.meta.places.request_state)
    }

    /// Whether the request brings input that an earlier answer to it asked for.
    pub fn brings_input(&self) -> bool {
        let places = &self.meta.places;
        places.input_responses.range().is_some()
            || places.request_state.range().is_some()
            || self.extensions.get::<Supplied>().is_some()
    }

    /// The revision in which the answer is written.
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Sets the revision; for transports, which negotiate it.
    pub fn set_version(&mut self, version: ProtocolVersion) {
        self.version = version;
    }

    /// The request's `_meta`.
    pub fn meta(&self) -> &RequestMeta {
        &self.meta
    }

    /// What layers and the transport attached.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// What layers and the transport attached, to attach more.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// Sets what the client said of itself in a handshake, as clients of older revisions do; for transports that
    /// keep one.
    pub fn set_client(&mut self, client: Arc<ClientInfo>) {
        Arc::make_mut(&mut self.meta).client = Some(client);
    }

    /// Who the client says it is: for display and logs, never for a decision.
    pub fn client_info(&self) -> Option<Implementation> {
        self.meta.client_info()?.parse().ok()
    }

    /// The client's capabilities as JSON, such as `{"sampling": {}}`.
    pub fn client_capabilities(&self) -> Option<RawJson> {
        self.meta.client_capabilities()
    }

    /// Whether the client declared a capability at the top level, such as `sampling` or `elicitation`.
    pub fn client_supports(&self, capability: &str) -> bool {
        self.client_capabilities()
            .and_then(|json| json.parse::<serde_json::Map<String, serde_json::Value>>().ok())
            .is_some_and(|declared| declared.get(capability).is_some_and(|value| !value.is_null()))
    }

    /// Whether the request gave a progress token or a log level.
    pub(crate) fn wants_notifications(&self) -> bool {
        let places = &self.meta.places;
        places.progress_token.range().is_some()
            || places.log_level.range().is_some()
            || self.session_log_level.is_some()
    }

    /// Attaches the way back to the client; for transports.
    pub fn set_notifier(&mut self, notifier: Notifier) {
        self.notifier = Some(Arc::new(notifier));
    }

    /// Attaches the `Mcp-Param-*` headers of an HTTP request, to be held against the arguments; for transports.
    pub fn set_header_params(&mut self, headers: HeaderParams) {
        self.headers = Some(Arc::new(headers));
    }

    /// The same for work that goes on when the request is answered: it has no way back, and its own time.
    pub(crate) fn for_task(mut self) -> Self {
        self.notifier = None;
        self.deadline = None;
        self
    }

    pub(crate) fn notifier(&self) -> Option<&Notifier> {
        self.notifier.as_deref()
    }

    pub(crate) fn header_params(&self) -> Option<&HeaderParams> {
        self.headers.as_deref()
    }

    /// Whether the client asked to be told of progress.
    pub fn wants_progress(&self) -> bool {
        self.notifier.is_some() && self.meta.places.progress_token.range().is_some()
    }

    /// Tells the client how far the work is, if it asked to know.
    ///
    /// In a [task](crate::Tasks), the message is what the task says of how it stands.
    ///
    /// `progress` must grow from call to call: a value that does not is left out, as the protocol demands. The
    /// call waits while the client is slow to read.
    pub async fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Params<'a> {
            progress_token: &'a RawJson,
            progress: f64,
            #[serde(skip_serializing_if = "Option::is_none")]
            total: Option<f64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            message: Option<&'a str>,
        }
        if let (Some(task), Some(message)) = (self.extensions.get::<Teller>(), message) {
            task.say(message).await;
        }
        let Some(notifier) = &self.notifier else { return };
        let Some(progress_token) = &self.meta.json(self.meta.places.progress_token) else { return };
        if !notifier.advance(progress) {
            return;
        }
        // Revision 2024-11-05 knows no message.
        let message = message.filter(|_| self.version >= ProtocolVersion::V2025_03_26);
        let total = total.filter(|total| total.is_finite());
        let params = Params { progress_token, progress, total, message };
        if let Some(notification) = codec::notification("notifications/progress", &params) {
            notifier.send(notification).await;
        }
    }

    /// Lets the client go away and come back for the answer after that time, so that a long call holds no connection open.
    ///
    /// That is for clients with a session over HTTP, of revision 2025-11-25; for any other it does nothing.
    pub async fn release_stream(&self, retry: Duration) {
        if let Some(notifier) = &self.notifier {
            notifier.release(retry).await;
        }
    }

    /// The least grave level of log messages that the client asked for, if it asked for any.
    pub fn log_level(&self) -> Option<LogLevel> {
        if let Some(level) = self.session_log_level {
            return Some(level);
        }
        serde_json::from_str(self.meta.written(self.meta.places.log_level)?).ok()
    }

    /// Sends the client a log message, if it asked for messages this grave.
    ///
    /// The client is not the operator: a message must hold no secret and nothing of the server's inside.
    pub async fn log(&self, level: LogLevel, logger: Option<&str>, data: &(impl Serialize + Sync)) {
        #[derive(Serialize)]
        struct Params<'a, T> {
            level: LogLevel,
            #[serde(skip_serializing_if = "Option::is_none")]
            logger: Option<&'a str>,
            data: &'a T,
        }
        let Some(notifier) = &self.notifier else { return };
        if self.log_level().is_none_or(|least| level < least) {
            return;
        }
        if let Some(notification) =
            codec::notification("notifications/message", &Params { level, logger, data })
        {
            notifier.send(notification).await;
        }
    }

    /// Holds the required `_meta` fields of a modern request against the specification (basic/index, "_meta").
    pub(crate) fn check_meta(&self) -> Result<(), Error> {
        let invalid = |message: &'static str| Err(Error::new(crate::ErrorKind::InvalidMeta, message));
        let (meta, places) = (&self.meta, &self.meta.places);
        match meta.written(places.protocol_version) {
            None => {
                return invalid(
                    "`_meta` lacks `io.modelcontextprotocol/protocolVersion`; a client of a revision before 2026-07-28 sends \
                 `initialize` first",
                );
            }
            Some(version) if !version.starts_with('"') => {
                return invalid("`io.modelcontextprotocol/protocolVersion` must be a string");
            }
            Some(_) => {}
        }
        match meta.written(places.client_capabilities) {
            None => return invalid("`_meta` lacks `io.modelcontextprotocol/clientCapabilities`"),
            Some(json) if !json.starts_with('{') => {
                return invalid("`io.modelcontextprotocol/clientCapabilities` must be an object");
            }
            Some(_) => {}
        }
        self.check_optional_meta()
    }

    /// Holds the fields that requests of every revision may have against the specification.
    pub(crate) fn check_optional_meta(&self) -> Result<(), Error> {
        let (meta, places) = (&self.meta, &self.meta.places);
        if let Some(level) = meta.written(places.log_level)
            && serde_json::from_str::<LogLevel>(level).is_err()
        {
            return Err(Error::invalid_params(
                "`io.modelcontextprotocol/logLevel` must be one of debug, info, notice, warning, error, \
                 critical, alert, emergency",
            ));
        }
        // What may be an id may be a token: a string or an integer.
        let token = places.progress_token.share(&meta.text);
        if token.is_some_and(|token| RequestId::from_json(token).is_none()) {
            return Err(Error::invalid_params("`progressToken` must be a short string or an integer"));
        }
        Ok(())
    }
}
