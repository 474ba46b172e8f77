//! HTTP with server-sent events, as revision 2024-11-05 has it: a stream that is opened with GET, on which the server says
//! where to POST messages, and on which everything comes back.
//!
//! Source: revision 2024-11-05, basic/transports, "HTTP with SSE".
//!
//! It is one stream of messages each way, as standard input and output are, and is served by the same code.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep};
use towline_core::{Carrier, Error, ErrorKind, Extensions, Principal, Serve};

use super::event::push_event;
use super::refusal::Refusal;
use super::respond::ResponseBody;
use super::service::{Guard, Options};
use super::sse;
use crate::line;
use crate::stdio::Stdio;

/// How many messages wait in each direction.
const WAITING: usize = 64;
/// How many bytes of messages are under way to who reads them.
const PIPE: usize = 64 * 1024;

/// The streams of one server, and where they are.
#[derive(Clone)]
pub(super) struct HttpSse(Arc<Inner>);

struct Inner {
    stream_path: Box<str>,
    message_path: Box<str>,
    max: usize,
    table: Mutex<HashMap<Box<str>, Stream>>,
}

/// One client.
#[derive(Clone)]
struct Stream {
    owner: Option<Principal>,
    input: mpsc::Sender<Bytes>,
}

/// What a request asks for.
#[derive(Debug)]
pub(super) enum Endpoint {
    /// To open a stream.
    Open,
    /// To take a message for the stream of that id.
    Message(Box<str>),
}

impl HttpSse {
    pub(super) fn new(stream_path: Box<str>, message_path: Box<str>, max: usize) -> Self {
        Self(Arc::new(Inner { stream_path, message_path, max, table: Mutex::default() }))
    }

    /// What a request to that address asks for, if it is one of this transport's.
    pub(super) fn endpoint(&self, method: &Method, uri: &Uri) -> Option<Endpoint> {
        if method == Method::GET && *uri.path() == *self.0.stream_path {
            return Some(Endpoint::Open);
        }
        if method != Method::POST || *uri.path() != *self.0.message_path {
            return None;
        }
        let parts = uri.query().unwrap_or_default().split('&');
        let id = parts.filter_map(|part| part.strip_prefix("sessionId=")).next().unwrap_or_default();
        Some(Endpoint::Message(id.into()))
    }

    /// Opens a stream.
    ///
    /// # Errors
    ///
    /// When there are as many as may be.
    pub(super) fn open<S: Serve>(
        &self,
        server: S,
        options: &Options,
        extensions: &Extensions,
        guard: Guard,
    ) -> Result<http::Response<ResponseBody<S>>, Refusal> {
        let id = random_id();
        let (input, mut messages) = mpsc::channel::<Bytes>(WAITING);
        let stream = Stream { owner: extensions.get::<Principal>().cloned(), input };
        {
            let mut table = self.lock();
            if table.len() >= self.0.max {
                let error = Error::new(ErrorKind::Overloaded, "too many streams are open; try again later");
                return Err(Refusal::of(StatusCode::SERVICE_UNAVAILABLE, error));
            }
            table.insert(id.clone(), stream);
        }
        let (reader, mut writer) = tokio::io::simplex(PIPE);
        tokio::spawn(async move {
            let mut text = Vec::new();
            while let Some(message) = messages.recv().await {
                text.clear();
                line::push(&mut text, &message);
                text.push(b'\n');
                if writer.write_all(&text).await.is_err() {
                    return;
                }
            }
        });
        let (output, answers) = mpsc::channel(WAITING);
        let served = Stdio::new()
            .limits(options.limits)
            .max_line(options.max_body.try_into().unwrap_or(std::num::NonZeroUsize::MIN))
            .carried_by(Carrier::Http, extensions.clone());
        let closing = options.end(extensions);
        let (here, gone) = oneshot::channel();
        tokio::spawn(served.serve_channel(server, reader, output, gone, closing));
        let place = format!("event: endpoint\ndata: {}?sessionId={id}\n\n", self.0.message_path);
        let body = HttpSseBody {
            answers,
            first: Some(place.into()),
            quiet: Box::pin(sleep(options.keep_alive)),
            keep_alive: options.keep_alive,
            _here: here,
            _open: Open { streams: self.clone(), id },
            _guard: guard,
        };
        Ok(sse::response(ResponseBody::http_sse(body)))
    }

    /// Takes a message for a stream.
    ///
    /// # Errors
    ///
    /// When there is no such stream, or it is somebody else's, or too much waits on it.
    pub(super) fn take(&self, id: &str, caller: Option<&Principal>, message: Bytes) -> Result<(), Refusal> {
        let stream = self.lock().get(id).filter(|stream| stream.owner.as_ref() == caller).cloned();
        let stream = stream
            .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is no such stream: open a new one"))?;
        stream.input.try_send(message).map_err(|_| {
            let error = Error::new(ErrorKind::Overloaded, "too many messages at once; wait for answers")
                .with_retry_after(Duration::from_secs(1));
            Refusal::of(StatusCode::SERVICE_UNAVAILABLE, error)
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Stream>> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HttpSse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpSse").field(&self.0.stream_path).finish()
    }
}

fn random_id() -> Box<str> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    BASE64.encode(bytes).into()
}

/// A stream that is open. Dropping it forgets the stream, which ends what it has asked for.
struct Open {
    streams: HttpSse,
    id: Box<str>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.streams.lock().remove(&self.id);
    }
}

/// What comes back to a client.
pub(super) struct HttpSseBody {
    answers: mpsc::Receiver<Bytes>,
    first: Option<Bytes>,
    quiet: Pin<Box<Sleep>>,
    keep_alive: Duration,
    /// Dropping it tells that nobody reads any more.
    _here: oneshot::Sender<()>,
    _open: Open,
    _guard: Guard,
}

impl HttpSseBody {
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if let Poll::Ready(answer) = self.answers.poll_recv(cx) {
            self.quiet.as_mut().reset(Instant::now() + self.keep_alive);
            return Poll::Ready(answer.map(|answer| {
                let mut event = Vec::with_capacity(answer.len() + 24);
                push_event(&mut event, &answer);
                event.into()
            }));
        }
        if self.quiet.as_mut().poll(cx).is_ready() {
            self.quiet.as_mut().reset(Instant::now() + self.keep_alive);
            return Poll::Ready(Some(Bytes::from_static(b":\n\n")));
        }
        Poll::Pending
    }
}
