//! A call of an API against the bare client on the same upstream, and a call that the cache answers.
//!
//! `bare` is hyper-util's client with one TCP connection; `api` adds all that [`Api`] does: the guards, credentials,
//! limit, retry, breaker, decompression and redaction.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use towline_core::Context;
use towline_http_api::{Api, ApiConfig, ApiRequest, AuthConfig, CallOptions, Secret};

/// An answer of a few kilobytes, as lists of issues are.
fn body() -> Bytes {
    let item = r#"{"id":1,"title":"A title of some length","state":"open","labels":["bug"],"comments":3}"#;
    format!("[{}]", vec![item; 40].join(",")).into()
}

async fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
    let port = listener.local_addr().expect("it is bound").port();
    let body = body();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let body = body.clone();
            let answer = service_fn(move |_: Request<Incoming>| {
                let response = Response::builder().header("content-type", "application/json");
                std::future::ready(Ok::<_, Infallible>(
                    response.body(Full::new(body.clone())).expect("it is valid"),
                ))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer),
            );
        }
    });
    port
}

fn call(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads can be started");
    let port = runtime.block_on(upstream());
    let mut group = c.benchmark_group("call");
    group.throughput(Throughput::Elements(1));

    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let url = format!("http://127.0.0.1:{port}/v1/x?a=1");
    group.bench_function("bare", |b| {
        b.iter(|| {
            runtime.block_on(async {
                let request = Request::builder()
                    .method(Method::GET)
                    .uri(&url)
                    .header("authorization", "Bearer 0123456789")
                    .body(Full::default())
                    .expect("it is valid");
                let response = client.request(request).await.expect("the upstream answers");
                black_box(response.into_body().collect().await.expect("the body is whole").to_bytes())
            })
        });
    });

    let mut config = ApiConfig::new(format!("http://127.0.0.1:{port}/v1"));
    config.allow_private_networks = true;
    config.auth = AuthConfig::Bearer { token: Secret::new("0123456789") };
    let api = Api::new("bench", config).expect("it is valid");
    let request = || ApiRequest::get("/x").with_query("a=1");
    let context = Context::default();
    group.bench_function("api", |b| {
        b.iter(|| {
            runtime.block_on(async { black_box(api.execute(request(), &context).await.expect("it answers")) })
        });
    });

    let options = CallOptions::new().with_cache_for(Duration::from_secs(3600));
    group.bench_function("cached", |b| {
        b.iter(|| {
            runtime.block_on(async {
                black_box(api.execute_with(request(), &options, &context).await.expect("it answers"))
            })
        });
    });
    group.finish();
}

criterion_group!(benches, call);
criterion_main!(benches);
