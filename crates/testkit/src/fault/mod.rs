//! Makes servers and streams fail on demand.
//!
//! [`FaultLayer`] goes where any tower layer goes: around a server, a tool, or the client of an upstream. [`SlowReader`] and
//! [`Disconnect`] go around streams.
//!
//! ```
//! use std::time::Duration;
//!
//! use towline_core::{ErrorKind, Router, Server, ToolExt, tool_fn};
//! use towline_testkit::Tester;
//! use towline_testkit::fault::{Fault, FaultLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), towline_testkit::ConnectError> {
//! let faults = FaultLayer::script([Fault::Error(ErrorKind::Unavailable), Fault::Latency(Duration::from_millis(5))]);
//! let ping = tool_fn("ping", "Answers.", async || "pong").layer(faults);
//! let tester = Tester::in_process(Server::new(Router::new("example", "1.0.0").tool(ping))).await?;
//!
//! tester.call("ping").expect_error("a fault that was asked for").await;
//! tester.call("ping").expect_text_contains("pong").await;
//! # Ok(())
//! # }
//! ```

mod stream;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};
use tokio::time::{Sleep, sleep};
use tower::{Layer, Service};
use towline_core::{Error, ErrorKind, Serve};
use towline_transport::stdio::Stdio;

pub use stream::{Disconnect, SlowReader};

/// What is to go wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing.
    None,
    /// The call comes through that much later.
    Latency(Duration),
    /// The call fails and never comes through.
    Error(ErrorKind),
    /// The call panics and never comes through.
    Panic,
    /// The call is never answered.
    Hang,
}

type Plan = Arc<dyn Fn(usize) -> Fault + Send + Sync>;

/// Makes calls fail by plan. Clones, and all that it is put around, count calls together.
#[derive(Clone)]
pub struct FaultLayer {
    plan: Plan,
    calls: Arc<AtomicUsize>,
}

impl FaultLayer {
    /// Decides by the number of the call, which begins at 0.
    pub fn new(plan: impl Fn(usize) -> Fault + Send + Sync + 'static) -> Self {
        Self { plan: Arc::new(plan), calls: Arc::default() }
    }

    /// The first call has the first of these faults, and so on; those after the last have none.
    pub fn script(faults: impl IntoIterator<Item = Fault>) -> Self {
        let faults: Vec<_> = faults.into_iter().collect();
        Self::new(move |call| faults.get(call).copied().unwrap_or(Fault::None))
    }

    /// Every call has that fault.
    pub fn always(fault: Fault) -> Self {
        Self::new(move |_| fault)
    }

    /// Every `n`th call has that fault.
    ///
    /// # Panics
    ///
    /// Panics if `n` is zero.
    pub fn every(n: usize, fault: Fault) -> Self {
        assert_ne!(n, 0, "`n` must not be zero");
        Self::new(move |call| if (call + 1).is_multiple_of(n) { fault } else { Fault::None })
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for FaultLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultLayer").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for FaultLayer {
    type Service = Faulty<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Faulty { inner, layer: self.clone() }
    }
}

/// A service whose calls fail by plan.
#[derive(Clone, Debug)]
pub struct Faulty<S> {
    inner: S,
    layer: FaultLayer,
}

impl<S, Req> Service<Req> for Faulty<S>
where
    S: Service<Req> + Clone,
    S::Error: From<Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, req: Req) -> Self::Future {
        let fault = (self.layer.plan)(self.layer.calls.fetch_add(1, Ordering::Relaxed));
        let state = match fault {
            Fault::None => State::Called { call: self.inner.call(req) },
            Fault::Latency(latency) => {
                // The service that was ready is the one to call; its clone takes its place.
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                State::Late { sleep: sleep(latency), late: Some((inner, req)) }
            }
            Fault::Error(kind) => State::Failed { kind },
            Fault::Panic => State::Panics,
            Fault::Hang => State::Hangs,
        };
        ResponseFuture { state }
    }
}

pin_project! {
    /// The future of [`Faulty`].
    pub struct ResponseFuture<S, Req> where S: Service<Req> { #[pin] state: State<S, Req> }
}

impl<S: Service<Req>, Req> fmt::Debug for ResponseFuture<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

pin_project! {
    #[project = Projected]
    enum State<S, Req> where S: Service<Req> {
        Called { #[pin] call: S::Future },
        Late { #[pin] sleep: Sleep, late: Option<(S, Req)> },
        Failed { kind: ErrorKind },
        Panics,
        Hangs,
    }
}

impl<S, Req> Future for ResponseFuture<S, Req>
where
    S: Service<Req>,
    S::Error: From<Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                Projected::Called { call } => return call.poll(cx),
                Projected::Late { sleep, late } => {
                    ready!(sleep.poll(cx));
                    let (mut inner, req) = late.take().expect("a future is not polled once it is done");
                    state.set(State::Called { call: inner.call(req) });
                }
                Projected::Failed { kind } => {
                    let error = Error::new(*kind, "a fault that was asked for");
                    return Poll::Ready(Err(error.into()));
                }
                Projected::Panics => panic!("a fault that was asked for"),
                Projected::Hangs => return Poll::Pending,
            }
        }
    }
}

/// Serves a client in this process, and gives the client's ends, to put faults around:
/// for [`Target::streams`](crate::Target::streams).
///
/// # Panics
///
/// Panics outside of a tokio runtime.
pub fn serve<S: Serve>(server: S) -> (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>) {
    // Small enough that a client which reads slowly is soon felt.
    let (ours, theirs) = tokio::io::duplex(4096);
    let (reader, writer) = tokio::io::split(theirs);
    tokio::spawn(Stdio::new().serve_on(server, reader, writer));
    tokio::io::split(ours)
}
