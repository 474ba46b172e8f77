//! Messages to channels, by a webhook or by an API with a token. They go nowhere, but `/slack/sent` tells them.

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{Answer, challenge, json, text};
use crate::call::Call;

/// The path of the webhook, which is its secret.
pub const SLACK_WEBHOOK: &str = "/slack/services/T0001/B0001/sample-webhook-secret";

/// The bearer token of `/slack/api`.
pub const SLACK_TOKEN: &str = "sample-slack-token";

const CHANNELS: &[&str] = &["general", "alerts", "random"];

/// Messages kept at most; the oldest is forgotten first.
const KEPT: usize = 1000;

/// The webhook: JSON, or a form with the JSON in `payload`. It answers in words.
pub(crate) fn webhook(call: &Call<'_>) -> Answer {
    let given = call.captures.join("/");
    if SLACK_WEBHOOK.strip_prefix("/slack/services/") != Some(given.as_str()) {
        return text(StatusCode::NOT_FOUND, "no_service");
    }
    let payload = if call.is_form() {
        call.form("payload").and_then(|payload| serde_json::from_str(&payload).ok())
    } else {
        serde_json::from_slice::<Value>(call.body).ok()
    };
    let Some(payload) = payload.filter(Value::is_object) else {
        return text(StatusCode::BAD_REQUEST, "invalid_payload");
    };
    match post(call, &payload, "webhook", Some("general")) {
        Ok(_) => text(StatusCode::OK, "ok"),
        Err("channel_not_found") => text(StatusCode::NOT_FOUND, "channel_not_found"),
        Err(problem) => text(StatusCode::BAD_REQUEST, problem),
    }
}

/// `chat.postMessage`: JSON both ways, and problems with status 200 and `"ok": false`.
pub(crate) fn post_message(call: &Call<'_>) -> Answer {
    let failed = |problem| json(StatusCode::OK, &json!({ "ok": false, "error": problem }));
    if call.bearer() != Some(SLACK_TOKEN) {
        let answer = json(StatusCode::UNAUTHORIZED, &json!({ "ok": false, "error": "invalid_auth" }));
        return challenge(answer, "Bearer");
    }
    let Some(payload) = serde_json::from_slice(call.body).ok().filter(Value::is_object) else {
        return failed("invalid_json");
    };
    match post(call, &payload, "api", None) {
        Ok(message) => json(StatusCode::OK, &json!({ "ok": true, "message": message })),
        Err(problem) => failed(problem),
    }
}

pub(crate) fn sent(call: &Call<'_>) -> Answer {
    json(StatusCode::OK, &json!({ "messages": *call.state.messages() }))
}

fn post(call: &Call<'_>, payload: &Value, by: &str, fallback: Option<&str>) -> Result<Value, &'static str> {
    let text = payload["text"].as_str().filter(|text| !text.is_empty()).ok_or("no_text")?;
    let channel = payload["channel"].as_str().or(fallback).ok_or("channel_not_found")?;
    let channel = channel.strip_prefix('#').unwrap_or(channel);
    if !CHANNELS.contains(&channel) {
        return Err("channel_not_found");
    }
    let mut messages = call.state.messages();
    // Counts on when old messages are forgotten.
    let number = messages.last().and_then(|last| last["number"].as_u64()).unwrap_or_default() + 1;
    let message = json!({ "number": number, "channel": channel, "text": text, "by": by });
    if messages.len() >= KEPT {
        messages.remove(0);
    }
    messages.push(message.clone());
    Ok(message)
}
