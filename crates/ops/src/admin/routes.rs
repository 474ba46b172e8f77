//! What is at which path.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use towline_middleware::circuit_breaker::Mode;

use super::Admin;
use super::guard;

/// How many pages look at once.
const MAX_PAGES: usize = 16;
/// How often they are told.
const STEP: Duration = Duration::from_secs(1);
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn router(admin: Admin) -> Router {
    let pages = Arc::new(Semaphore::new(MAX_PAGES));
    let events = move |State(admin): State<Admin>| events(admin, Arc::clone(&pages));
    let operators = Router::new()
        .route("/", get(page))
        .route("/admin/stats", get(async |State(admin): State<Admin>| Json(admin.stats().await)))
        .route("/admin/events", get(events))
        .route("/admin/tools/{name}", get(tool))
        .route("/admin/breakers/{name}", post(set_breaker))
        .layer(middleware::from_fn_with_state(admin.clone(), guard::operators));
    Router::new()
        .route("/livez", get(live))
        .route("/health", get(live))
        .route("/readyz", get(ready))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .merge(operators)
        .layer(middleware::map_response(plain))
        .with_state(admin)
}

/// What every answer says: nothing is kept, and nothing is taken for what it is not.
async fn plain(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, value.parse().expect("these are values"));
    }
    response
}

async fn live() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

#[derive(Deserialize)]
struct Verbose {
    verbose: Option<String>,
}

async fn ready(State(admin): State<Admin>, Query(query): Query<Verbose>) -> Response {
    let readiness = &admin.0.readiness;
    let (is_ready, draining) = (readiness.is_ready().await, readiness.is_draining());
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut told =
        json!({"status": if is_ready { "ready" } else if draining { "draining" } else { "not ready" }});
    if query.verbose.is_some() {
        told["checks"] = json!(*readiness.checks().await);
    }
    (status, Json(told)).into_response()
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT)], admin.0.stack.metrics().encode())
}

async fn page(State(admin): State<Admin>) -> impl IntoResponse {
    let page = &admin.0.page;
    let headers = [
        (CONTENT_SECURITY_POLICY, page.policy.clone()),
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
    ];
    (headers, Body::from(page.html()))
}

/// The figures, each second, for as long as someone looks.
async fn events(admin: Admin, pages: Arc<Semaphore>) -> Response {
    let Ok(permit) = pages.try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages look already").into_response();
    };
    Sse::new(figures(admin, permit)).keep_alive(KeepAlive::default()).into_response()
}

fn figures(
    admin: Admin,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    stream::unfold((admin, permit, true), async |(admin, permit, is_first)| {
        if !is_first {
            sleep(STEP).await;
        }
        let event = Event::default().json_data(admin.stats().await).unwrap_or_default();
        Some((Ok(event), (admin, permit, false)))
    })
}

async fn tool(State(admin): State<Admin>, Path(name): Path<String>) -> Response {
    match admin.0.stack.metrics().histogram(&name) {
        Some(buckets) => Json(json!({"tool": name, "buckets": buckets})).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such tool").into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetBreaker {
    mode: Option<Mode>,
    #[serde(default)]
    reset: bool,
}

/// Overrides a breaker. Only JSON is taken, which a page elsewhere cannot send without being let.
async fn set_breaker(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    Json(set): Json<SetBreaker>,
) -> Response {
    let Some(breaker) = admin.0.stack.breakers().get(&name) else {
        return (StatusCode::NOT_FOUND, "there is no such breaker").into_response();
    };
    if let Some(mode) = set.mode {
        breaker.set_mode(mode);
        tracing::warn!(breaker = &*name, mode = mode.name(), "an operator has set a breaker");
    }
    if set.reset {
        breaker.set_mode(Mode::Auto);
        breaker.reset();
        tracing::warn!(breaker = &*name, "an operator has reset a breaker");
    }
    Json(admin.stats().await).into_response()
}
