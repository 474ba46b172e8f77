//! One client, one message a line: over standard input and output, or any other stream of bytes.
//!
//! Source: basic/transports/stdio.
//!
//! ```no_run
//! use towline_core::{Router, Server, tool_fn};
//!
//! # async fn run() -> std::io::Result<()> {
//! let ping = tool_fn("ping", "Answers.", async || "pong");
//! let server = Server::new(Router::new("example", "1.0.0").tool(ping));
//! towline_transport::stdio::serve(server).await
//! # }
//! ```

mod input;
mod lines;
mod session;
mod write;

use std::future::{Future, pending};
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use towline_core::codec::Limits;
use towline_core::{Carrier, Extensions, Serve};

use self::session::Slots;
use self::write::Output;
use crate::attend::Attendant;
use crate::shutdown_signal;

/// Serves the client at standard input and output with the defaults of [`Stdio`].
///
/// # Errors
///
/// Those of [`Stdio::serve`].
pub async fn serve<S: Serve>(server: S) -> io::Result<()> {
    Stdio::new().serve(server).await
}

/// How to serve a stream: bounds, and how to end.
///
/// Requests run at the same time, each in a task of its own, and are answered as they finish. What a request reports
/// while it runs always comes before its answer. `notifications/cancelled` drops a request's future; it then has no
/// answer.
#[derive(Clone, Debug)]
pub struct Stdio {
    max_in_flight: NonZeroUsize,
    max_line: NonZeroUsize,
    limits: Limits,
    shutdown_grace: Duration,
    carrier: Carrier,
    extensions: Extensions,
}

impl Default for Stdio {
    fn default() -> Self {
        const MAX_IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");
        const MAX_LINE: NonZeroUsize = NonZeroUsize::new(1024 * 1024).expect("not zero");
        Self {
            max_in_flight: MAX_IN_FLIGHT,
            max_line: MAX_LINE,
            limits: Limits::default(),
            shutdown_grace: Duration::from_secs(5),
            carrier: Carrier::Stream,
            extensions: Extensions::default(),
        }
    }
}

impl Stdio {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs that many requests at once. As many again wait for their turn, in order; more are refused. Cancellations
    /// are heard all the while. Default: 64.
    #[must_use]
    pub fn max_in_flight(mut self, requests: NonZeroUsize) -> Self {
        self.max_in_flight = requests;
        self
    }

    /// Takes lines of that many bytes at most. A longer one is answered with an error, and skipped without being kept
    /// in memory. Default: 1 MiB.
    #[must_use]
    pub fn max_line(mut self, bytes: NonZeroUsize) -> Self {
        self.max_line = bytes;
        self
    }

    /// Bounds what one message may consist of.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Lets what runs at the end of the input, or at a shutdown, go on for that long. Default: 5 seconds.
    #[must_use]
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// Serves the client at standard input and output until the input ends, or SIGTERM or SIGINT arrives.
    ///
    /// Nothing else in the process may write to standard output.
    ///
    /// # Errors
    ///
    /// When reading or writing fails. That the client no longer reads is no error.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub async fn serve<S: Serve>(self, server: S) -> io::Result<()> {
        let slots = Slots::new(self.max_in_flight.get());
        let running = slots.clone();
        let _attendant = Attendant::start(move || running.is_busy());
        let session =
            session::run(self, server, input::stdin()?, Output::stdout()?, slots, shutdown_signal());
        // On a worker of the runtime, so that a request need not wake another thread to be run.
        let mut task = JoinSet::new();
        task.spawn(session);
        match task.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(io::Error::other(error)),
            None => Ok(()),
        }
    }

    /// Serves the client at the other end of a stream until its input ends.
    ///
    /// # Errors
    ///
    /// When reading or writing fails. That the client no longer reads is no error.
    pub async fn serve_on<S, R, W>(self, server: S, reader: R, writer: W) -> io::Result<()>
    where
        S: Serve,
        R: AsyncRead + Send + Unpin,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        self.serve_until(server, reader, writer, pending()).await
    }

    /// Serves the client at the other end of a stream until its input ends or `shutdown` completes.
    ///
    /// Dropping the future ends all requests at once.
    ///
    /// # Errors
    ///
    /// When reading or writing fails. That the client no longer reads is no error.
    pub async fn serve_until<S, R, W>(
        self,
        server: S,
        reader: R,
        writer: W,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()>
    where
        S: Serve,
        R: AsyncRead + Send + Unpin,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let slots = Slots::new(self.max_in_flight.get());
        session::run(self, server, reader, Output::to(writer), slots, shutdown).await
    }

    /// Says what carries the stream, and what is known of every request on it.
    #[cfg(feature = "http-sse")]
    pub(crate) fn carried_by(mut self, carrier: Carrier, extensions: Extensions) -> Self {
        (self.carrier, self.extensions) = (carrier, extensions);
        self
    }

    /// Serves the client whose messages are read there, and who takes answers one by one, until it is `gone`.
    #[cfg(feature = "http-sse")]
    pub(crate) async fn serve_channel<S, R>(
        self,
        server: S,
        reader: R,
        output: tokio::sync::mpsc::Sender<bytes::Bytes>,
        gone: tokio::sync::oneshot::Receiver<()>,
        shutdown: impl Future<Output = ()> + Send,
    ) where
        S: Serve,
        R: AsyncRead + Send + Unpin,
    {
        let written = Box::pin(async move {
            let _ = gone.await;
            Ok(())
        });
        let slots = Slots::new(self.max_in_flight.get());
        let output = Output { sender: output, written };
        if let Err(error) = session::run(self, server, reader, output, slots, shutdown).await {
            tracing::debug!(%error, "a stream of messages broke off");
        }
    }
}
