//! What it costs to measure a call.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use serde_json::json;
use tower::{Service, ServiceBuilder};
use towline_core::{Error, Request};
use towline_middleware::{Metrics, MetricsLayer, TraceLayer};

/// A service that has its answer ready.
#[derive(Clone)]
struct Answers;

impl Service<Request> for Answers {
    type Response = ();
    type Error = Error;
    type Future = Ready<Result<(), Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request) -> Self::Future {
        ready(Ok(()))
    }
}

fn requests(count: usize) -> Vec<Request> {
    let meta = json!({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
    let params = json!({"name": "get-weather", "arguments": {}, "_meta": meta});
    let mut requests = vec![Request::new("tools/call", &params).unwrap(); count];
    requests[0] = Request::new("tools/list", &json!({})).unwrap();
    requests
}

/// No subscriber is there, so no span is made either.
#[test]
fn a_call_that_is_measured_and_traced_allocates_nothing() {
    let metrics = Metrics::default();
    let layers = ServiceBuilder::new().layer(TraceLayer::new()).layer(MetricsLayer::new(&metrics));
    let mut service = layers.service(Answers);
    let mut call = |requests: Vec<Request>| {
        for request in requests {
            service.call(request).now_or_never().unwrap().unwrap();
        }
    };
    call(requests(10));
    let requests = requests(1000);
    let info = allocation_counter::measure(|| call(requests));
    assert_eq!(info.count_total, 0, "{info:?}");
    assert_eq!(metrics.snapshot().totals.requests, 1010);
}
