//! Steers this server: faults on demand, and what arrived.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::answer::{Answer, error, json};
use crate::call::Call;
use crate::received::{Received, is_below};
use crate::rule::Rule;
use crate::state::Gate;

pub(crate) fn faults(call: &Call<'_>) -> Answer {
    listed(call, StatusCode::OK)
}

/// Adds a rule, or refuses connections for a while: `{"fault": "refuse", "for_ms": 500}`.
pub(crate) fn add_fault(call: &Call<'_>) -> Answer {
    let added = match refusal(call.body) {
        Some(Ok(time)) => {
            call.state.gate.send_replace(Gate::Closed(Some(Instant::now() + time)));
            Ok(())
        }
        Some(Err(problem)) => Err(problem),
        None => Rule::from_json(call.body).and_then(|rule| call.state.rules().add(rule)),
    };
    match added {
        Ok(()) => listed(call, StatusCode::CREATED),
        Err(problem) => error(StatusCode::BAD_REQUEST, &problem),
    }
}

pub(crate) fn clear_faults(call: &Call<'_>) -> Answer {
    call.state.rules().clear();
    listed(call, StatusCode::OK)
}

/// Those below `prefix`, if the query has it.
pub(crate) fn requests(call: &Call<'_>) -> Answer {
    let prefix = call.query("prefix").unwrap_or_default();
    let log = call.state.log();
    let requests: Vec<Value> =
        log.entries().filter(|entry| is_below(&entry.path, &prefix)).map(Received::to_json).collect();
    json(StatusCode::OK, &json!({ "count": requests.len(), "requests": requests }))
}

pub(crate) fn clear_requests(call: &Call<'_>) -> Answer {
    call.state.log().clear();
    json(StatusCode::OK, &json!({ "count": 0, "requests": [] }))
}

fn listed(call: &Call<'_>, status: StatusCode) -> Answer {
    let rules: Vec<Value> = call.state.rules().iter().map(Rule::to_json).collect();
    json(status, &json!({ "faults": rules }))
}

/// For how long no connection is to be accepted, if that is what the body says.
fn refusal(body: &[u8]) -> Option<Result<Duration, String>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Refuse {
        #[serde(rename = "fault")]
        _fault: String,
        for_ms: u64,
    }
    let settings: Value =
        serde_json::from_slice(body).ok().filter(|settings: &Value| settings["fault"] == "refuse")?;
    Some(match serde_json::from_value(settings) {
        Ok(Refuse { for_ms, .. }) if for_ms <= 3_600_000 => Ok(Duration::from_millis(for_ms)),
        Ok(_) => Err("`for_ms` is more than an hour".into()),
        Err(error) => Err(error.to_string()),
    })
}
