//! What layers are put around where they are measured, and how it is called.

use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use tower::Service;
use towline_core::{Error, Principal, RawJson, Request, Tool, ToolCall, ToolResult};

use crate::cost::Turn;
use crate::server::request;
use crate::workload::Workload;

const THREADS: usize = 2;

/// How often an answer is polled for: a lock is free again long before.
const PATIENCE: usize = 1_000_000;

/// A service whose answer is ready at once.
#[derive(Clone, Copy, Debug)]
pub struct Bare;

impl Service<ToolCall> for Bare {
    type Response = ToolResult;
    type Error = Error;
    type Future = Ready<Result<ToolResult, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: ToolCall) -> Self::Future {
        drop(call);
        // Empty, so it does not allocate.
        ready(Ok(ToolResult::new([])))
    }
}

/// A request as it comes from a client, by a caller who is known.
///
/// # Panics
///
/// Never: the messages of this benchmark are requests.
pub fn client_request(workload: Workload) -> Request {
    let body = Bytes::from(workload.message().body().to_owned());
    let (_, mut request) = request(body).expect("the messages of this benchmark are requests");
    request.context_mut().extensions_mut().insert(Principal::new("ann@example.com"));
    request
}

/// A call as it comes to a tool that only reads, so it may be retried and cached.
pub fn tool_call() -> ToolCall {
    let context = client_request(Workload::Echo).context().clone();
    let text = "The quick brown fox jumps over the lazy dog, and the dog sleeps on.";
    let arguments = RawJson::from_value(&serde_json::json!({ "text": text })).expect("JSON it is");
    ToolCall::new("echo", arguments, context).with_read_only(true)
}

/// Calls a service over and over.
///
/// Its turns panic when a call is refused.
pub fn alone<S, Req>(mut service: S, request: Req) -> Turn
where
    S: Service<Req> + 'static,
    Req: Clone + 'static,
{
    Box::new(move |calls| {
        let began = Instant::now();
        for _ in 0..calls {
            let answer = answer(&mut service, black_box(request.clone()));
            assert!(black_box(answer).is_ok(), "a call was refused");
        }
        began.elapsed()
    })
}

/// Calls a service from two threads at once: how long the slower one took.
pub fn contended<S>(service: S) -> Turn
where
    S: Service<ToolCall> + Clone + Send + 'static,
{
    Box::new(move |calls| {
        let barrier = &Barrier::new(THREADS);
        let [own, other] = [service.clone(), service.clone()];
        let run = move |service: S| {
            // A request of its own, or the threads would contend for that, too.
            let mut turn = alone(service, tool_call());
            barrier.wait();
            turn(calls)
        };
        thread::scope(|scope| {
            let other = scope.spawn(move || run(other));
            let own = run(own);
            other.join().map_or(own, |other| own.max(other))
        })
    })
}

/// Calls a tool over and over.
pub fn called(tool: impl Tool) -> Turn {
    let call = tool_call();
    Box::new(move |calls| {
        let began = Instant::now();
        for _ in 0..calls {
            let answer = now(tool.call(black_box(call.clone())));
            assert!(black_box(answer).is_ok(), "a call failed");
        }
        began.elapsed()
    })
}

fn answer<S: Service<Req>, Req>(service: &mut S, request: Req) -> Result<S::Response, S::Error> {
    match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ready) => ready?,
        Poll::Pending => panic!("a service is not ready at once"),
    }
    now(service.call(request))
}

/// Polls until there is the answer, which is at once unless another thread holds a lock that must be waited for.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    for _ in 0..PATIENCE {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return answer;
        }
        thread::yield_now();
    }
    panic!("an answer does not come")
}
