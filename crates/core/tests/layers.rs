//! Layers around a server, a set and a single tool: what runs, how often, and in which order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use serde_json::json;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceExt};
use towline_core::{
    BoxError, Error, ErrorKind, Operation, Request, Router, Server, Tool, ToolExt, ToolSet, tool_fn,
};

/// Writes its name down on each call, and counts how often it was applied.
#[derive(Clone)]
struct Mark {
    name: &'static str,
    applied: Arc<AtomicUsize>,
    log: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Marked<S> {
    inner: S,
    mark: Mark,
}

impl<S> Layer<S> for Mark {
    type Service = Marked<S>;

    fn layer(&self, inner: S) -> Marked<S> {
        self.applied.fetch_add(1, Ordering::SeqCst);
        Marked { inner, mark: self.clone() }
    }
}

impl<S: Service<Req>, Req: Operation> Service<Req> for Marked<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> S::Future {
        self.mark.log.lock().unwrap().push(format!("{} {}", self.mark.name, request.name()));
        self.inner.call(request)
    }
}

#[derive(Default)]
struct Marks {
    applied: Arc<AtomicUsize>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Marks {
    fn layer(&self, name: &'static str) -> Mark {
        Mark { name, applied: Arc::clone(&self.applied), log: Arc::clone(&self.log) }
    }
}

fn echo() -> impl Tool {
    tool_fn("echo", "Says hello.", async || "hello")
}

fn call(tool: &str) -> Request {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
    Request::new("tools/call", &json!({"name": tool, "arguments": {}, "_meta": meta})).unwrap()
}

#[tokio::test]
async fn layers_run_outermost_last_added_first_at_every_level_and_are_applied_once() {
    let marks = Marks::default();
    let tool = echo().layer(marks.layer("tool inner")).layer(marks.layer("tool outer"));
    let set = ToolSet::new().with(tool).layer(marks.layer("set inner")).layer(marks.layer("set outer"));
    let server = Server::new(Router::new("test", "1").tools(set));
    let server = server.layer(marks.layer("server inner")).layer(marks.layer("server outer"));

    for _ in 0..3 {
        server.clone().oneshot(call("echo")).await.unwrap();
    }

    assert_eq!(marks.applied.load(Ordering::SeqCst), 6);
    let log = marks.log.lock().unwrap();
    assert_eq!(
        log[..6],
        [
            "server outer tools/call",
            "server inner tools/call",
            "set outer echo",
            "set inner echo",
            "tool outer echo",
            "tool inner echo"
        ]
    );
    assert_eq!(log.len(), 18);
}

#[tokio::test(start_paused = true)]
async fn tower_s_own_layers_fit_a_server_and_a_tool() {
    let slow = || {
        tool_fn("slow", "Takes a minute.", async || {
            tokio::time::sleep(Duration::from_secs(60)).await;
            "done"
        })
    };

    let in_tool =
        Server::new(Router::new("test", "1").tool(slow().layer(TimeoutLayer::new(Duration::from_secs(1)))));
    let error = in_tool.oneshot(call("slow")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_tool()), (ErrorKind::Timeout, true));

    let around_server =
        Server::new(Router::new("test", "1").tool(slow())).layer(TimeoutLayer::new(Duration::from_secs(1)));
    let error = around_server.oneshot(call("slow")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_in_tool()), (ErrorKind::Timeout, false));
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_limit_holds_over_parallel_calls() {
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let counting = {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        tool_fn("count", "Counts.", move || {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                "done"
            }
        })
    };
    let server = Server::new(Router::new("test", "1").tool(counting.layer(ConcurrencyLimitLayer::new(2))));

    let calls = (0..20).map(|_| server.clone().oneshot(call("count")));
    let answers = futures_util::future::join_all(calls).await;

    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_shed_call_is_an_overload() {
    let slow = tool_fn("slow", "Takes a minute.", async || {
        tokio::time::sleep(Duration::from_secs(60)).await;
        "done"
    });
    let server = Server::new(Router::new("test", "1").tool(slow))
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(LoadShedLayer::new());

    let first = tokio::spawn(server.clone().oneshot(call("slow")));
    tokio::task::yield_now().await;
    let error = server.oneshot(call("slow")).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Overloaded);
    first.await.unwrap().unwrap();
}

#[test]
fn a_foreign_error_loses_nothing_that_was_ours() {
    let boxed = BoxError::from(
        Error::new(ErrorKind::RateLimited, "slow down").with_retry_after(Duration::from_secs(3)),
    );
    assert_eq!(Error::from(boxed).retry_after(), Some(Duration::from_secs(3)));
}
