//! Tells what arrived, secrets and all: to see what is sent, and whether secrets that come back are kept from a model.

use http::StatusCode;
use serde_json::json;

use crate::answer::{Answer, json};
use crate::call::Call;
use crate::received::headers_to_json;

pub(crate) fn echo(call: &Call<'_>) -> Answer {
    json(
        StatusCode::OK,
        &json!({
            "method": call.method.as_str(),
            "path": call.path,
            "query": call.raw_query,
            "headers": headers_to_json(call.headers),
            "body": String::from_utf8_lossy(call.body),
        }),
    )
}
