//! Calls of an API against the bare client on the same upstream, and calls that the cache answers.
//!
//! `bare` is hyper-util's client over plain TCP, which sends the same headers; `api` adds all that [`Api`] does: the guards, credentials, limit, retry,
//! breaker, decompression and redaction. The two take turns within each round, and the median of the rounds' ratios
//! counts: what a neighbour on the machine does meets both. Client and
//! upstream share one thread, since where a scheduler puts them would decide more than what they do.
#![allow(clippy::print_stdout, missing_docs)] // It prints its own table, and has no API.

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use towline_core::Context;
use towline_http_api::{Api, ApiConfig, ApiRequest, AuthConfig, CallOptions, Secret};

type Plain = Client<HttpConnector, Full<Bytes>>;

/// Rounds, and calls of each kind in a round. Cargo runs benchmarks as tests, too: then they only have to work.
const FULL: (usize, usize) = (41, 1000);
const TEST: (usize, usize) = (1, 16);

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

async fn bare(client: Plain, url: String) {
    let request = Request::builder()
        .method(Method::GET)
        .uri(url)
        .header("accept-encoding", "zstd,gzip,br")
        .header("authorization", "Bearer 0123456789")
        .header("user-agent", concat!("towline/", env!("CARGO_PKG_VERSION")))
        .body(Full::default())
        .expect("it is valid");
    let response = client.request(request).await.expect("the upstream answers");
    black_box(response.into_body().collect().await.expect("the body is whole").to_bytes());
}

async fn through(api: Api, options: CallOptions) {
    let request = ApiRequest::get("/x").with_query("a=1");
    black_box(api.execute_with(request, &options, &Context::default()).await.expect("it answers"));
}

/// Makes calls, so many at once, and tells how many it makes in a second.
async fn rate<F>(calls: usize, at_once: usize, call: impl Fn() -> F) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let start = Instant::now();
    let mut running = JoinSet::new();
    for made in 0..calls {
        if made >= at_once {
            running.join_next().await;
        }
        running.spawn(call());
    }
    running.join_all().await;
    calls as f64 / start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn compare(rounds: usize, calls: usize) {
    let port = upstream().await;
    let client: Plain = Client::builder(TokioExecutor::new()).build_http();
    let url = format!("http://127.0.0.1:{port}/v1/x?a=1");
    let mut config = ApiConfig::new(format!("http://127.0.0.1:{port}/v1"));
    config.allow_private_networks = true;
    config.auth = AuthConfig::Bearer { token: Secret::new("0123456789") };
    let api = Api::new("bench", config).expect("it is valid");
    let kept = CallOptions::new().with_cache_for(Duration::from_secs(3600));

    println!("{:>9}  {:>12}  {:>12}  {:>9}  {:>12}", "in flight", "bare", "api", "api/bare", "cached");
    for at_once in [1, 8] {
        let (mut plain, mut full, mut ratios, mut cached) = (vec![], vec![], vec![], vec![]);
        for _ in 0..rounds {
            let one = rate(calls, at_once, || bare(client.clone(), url.clone())).await;
            let other = rate(calls, at_once, || through(api.clone(), CallOptions::new())).await;
            plain.push(one);
            full.push(other);
            ratios.push(other / one);
            cached.push(rate(calls, at_once, || through(api.clone(), kept.clone())).await);
        }
        println!(
            "{at_once:>9}  {:>10.0}/s  {:>10.0}/s  {:>9.2}  {:>10.0}/s",
            median(plain),
            median(full),
            median(ratios),
            median(cached),
        );
    }
}

fn main() {
    let (rounds, calls) = if std::env::args().any(|argument| argument == "--bench") { FULL } else { TEST };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(compare(rounds, calls));
}
