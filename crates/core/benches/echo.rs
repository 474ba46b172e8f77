//! The cost of one message, from bytes to bytes, without a transport.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower::Service;
use towline_core::codec::{self, Agreed, Limits, Message};
use towline_core::{Json, Router, Server, ToolSet, tool_fn};

#[derive(Deserialize, JsonSchema)]
struct Echo {
    text: String,
}

#[derive(Serialize, JsonSchema)]
struct Rows {
    rows: Vec<(u32, String)>,
}

fn server() -> Server {
    let echo = tool_fn("echo", "Says it again.", async |args: Echo| args.text);
    let rows = tool_fn("rows", "Gives rows.", async || {
        Json(Rows { rows: (0..64).map(|n| (n, format!("customer number {n:04}"))).collect() })
    });
    let more = (0..48).fold(ToolSet::new(), |set, n| {
        set.with(tool_fn(format!("tool_{n}"), "One of many.", async |args: Echo| args.text))
    });
    Server::new(Router::new("bench", "1").tool(echo).tool(rows).tools(more))
}

fn message(method: &str, params: &str) -> Bytes {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"bench","version":"1.0.0"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    )
    .into()
}

fn run(server: &mut Server, body: Bytes) -> Bytes {
    let Ok(Message::Request(id, mut request)) = codec::decode(body, &Limits::default()) else {
        unreachable!()
    };
    codec::negotiate(&mut request, Agreed::Handshake(None)).unwrap();
    let version = request.context().version();
    let answer = server.call(request).now_or_never().expect("nothing waits");
    codec::encode(Some(&id), &answer, version)
}

fn bench(c: &mut Criterion) {
    let mut server = server();
    let mut group = c.benchmark_group("message");
    for (name, body) in [
        ("echo", message("tools/call", r#""name":"echo","arguments":{"text":"hello, world"},"#)),
        ("rows_2k", message("tools/call", r#""name":"rows","arguments":{},"#)),
        ("list_50", message("tools/list", "")),
    ] {
        group.bench_function(format!("{name}/decode"), |b| {
            b.iter(|| codec::decode(black_box(body.clone()), &Limits::default()).is_ok());
        });
        group.bench_function(format!("{name}/whole"), |b| {
            b.iter(|| run(&mut server, black_box(body.clone())));
        });
        group.bench_function(format!("{name}/serde_json_value"), |b| {
            b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(&body)).is_ok());
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
