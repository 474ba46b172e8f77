//! A server whose tools do what transports must cope with.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part of it.

pub mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Notify;
use towline_core::protocol::LogLevel;
use towline_core::{ClientAddr, Context, Router, Server, tool_fn};

#[derive(Deserialize, JsonSchema)]
pub struct Empty {}

#[derive(Deserialize, JsonSchema)]
pub struct Text {
    text: String,
}

#[derive(Deserialize, JsonSchema)]
pub struct Count {
    count: u32,
}

#[derive(Deserialize, JsonSchema)]
pub struct Millis {
    ms: u64,
}

#[derive(Deserialize, JsonSchema)]
pub struct Region {
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

/// Sees what becomes of the calls of `wait`.
#[derive(Clone, Default)]
pub struct Probe(Arc<Seen>);

#[derive(Default)]
struct Seen {
    started: AtomicUsize,
    dropped: AtomicUsize,
    changed: Notify,
    released: Notify,
}

impl Probe {
    pub fn started(&self) -> usize {
        self.0.started.load(Ordering::SeqCst)
    }

    pub fn dropped(&self) -> usize {
        self.0.dropped.load(Ordering::SeqCst)
    }

    /// Waits until so many calls have started.
    pub async fn until_started(&self, count: usize) {
        self.until(|| self.started() >= count).await;
    }

    /// Waits until so many calls have ended.
    pub async fn until_dropped(&self, count: usize) {
        self.until(|| self.dropped() >= count).await;
    }

    /// Lets one waiting call go on.
    pub fn release(&self) {
        self.0.released.notify_one();
    }

    async fn until(&self, done: impl Fn() -> bool) {
        let wait = async {
            loop {
                let changed = self.0.changed.notified();
                if done() {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), wait).await.expect("it happens in time");
    }

    fn start(&self) -> Started {
        self.0.started.fetch_add(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
        Started(self.clone())
    }
}

struct Started(Probe);

impl Drop for Started {
    fn drop(&mut self) {
        self.0.0.dropped.fetch_add(1, Ordering::SeqCst);
        self.0.0.changed.notify_waiters();
    }
}

/// How many reports the tool `leave` leaves to others to make.
pub const LEFT: usize = 1000;

pub fn server(probe: &Probe) -> Server {
    let seen = probe.clone();
    let wait = tool_fn("wait", "Waits until it is released.", move |_: Empty| {
        let seen = seen.clone();
        async move {
            let _started = seen.start();
            seen.0.released.notified().await;
            "released"
        }
    });
    let seen = probe.clone();
    let report_and_wait =
        tool_fn("report_and_wait", "Reports, then waits.", move |_: Empty, context: Context| {
            let seen = seen.clone();
            async move {
                let _started = seen.start();
                context.progress(1.0, Some(2.0), Some("half")).await;
                seen.0.released.notified().await;
                "released"
            }
        });
    let seen = probe.clone();
    let flood = tool_fn("flood", "Reports without end.", move |_: Empty, context: Context| {
        let seen = seen.clone();
        async move {
            let _started = seen.start();
            let message = "x".repeat(10_000);
            for n in 0..u32::MAX {
                context.progress(n.into(), None, Some(&message)).await;
            }
            "never"
        }
    });
    let count = tool_fn("count", "Reports each number.", async |args: Count, context: Context| {
        for n in 1..=args.count {
            context.progress(n.into(), Some(args.count.into()), None).await;
        }
        context.log(LogLevel::Info, None, &"done").await;
        "counted"
    });
    let slow_count = tool_fn("slow_count", "Reports with pauses.", async |args: Count, context: Context| {
        for n in 1..=args.count {
            tokio::time::sleep(Duration::from_millis(20)).await;
            context.progress(n.into(), Some(args.count.into()), None).await;
        }
        "counted"
    });
    let who = tool_fn("who", "Says who asks.", async |_: Empty, context: Context| {
        let address = context.extensions().get::<ClientAddr>().map(|ClientAddr(address)| address.ip());
        let principal = context.extensions().get::<Principal>().map(|Principal(name)| *name);
        let client = context.client_info().map(|info| info.name);
        format!("{address:?} {principal:?} {client:?} {}", context.version())
    });
    let leave = tool_fn("leave", "Answers while others report.", async |args: Millis, context: Context| {
        let context = Arc::new(context);
        context.progress(0.0, None, None).await;
        let next = Arc::new(AtomicUsize::new(1));
        for _ in 0..4 {
            let (context, next) = (Arc::clone(&context), Arc::clone(&next));
            tokio::spawn(async move {
                while next.load(Ordering::SeqCst) < LEFT {
                    let n = u32::try_from(next.fetch_add(1, Ordering::SeqCst)).unwrap();
                    context.progress(n.into(), None, None).await;
                    tokio::task::yield_now().await;
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(args.ms)).await;
        "left"
    });
    let router = Router::new("test", "1")
        .tool(leave)
        .tool(tool_fn("echo", "Says it again.", async |args: Text| args.text))
        .tool(tool_fn("sleep", "Sleeps.", async |args: Millis| {
            tokio::time::sleep(Duration::from_millis(args.ms)).await;
            format!("slept {}", args.ms)
        }))
        .tool(tool_fn("block", "Blocks its thread.", async |args: Millis| {
            std::thread::sleep(Duration::from_millis(args.ms));
            format!("blocked {}", args.ms)
        }))
        .tool(tool_fn("region", "Mirrors a header.", async |args: Region| args.region))
        .tool(tool_fn("panic", "Panics.", async || -> String { panic!("password=hunter2") }))
        .tool(wait)
        .tool(report_and_wait)
        .tool(flood)
        .tool(count)
        .tool(slow_count)
        .tool(who);
    Server::new(router)
}

/// What a layer around the HTTP service may know.
#[derive(Clone, Copy)]
pub struct Principal(pub &'static str);

pub const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

/// A modern call of a tool, with members added to `_meta`.
pub fn call(id: u32, tool: &str, arguments: &str, meta: &str) -> String {
    let all = META.strip_suffix('}').unwrap();
    let comma = if meta.is_empty() { "" } else { "," };
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},{all}{comma}{meta}}}}}}}"#
    )
}
