//! What an answer with an error status is to a model.

use towline_core::{Error, RawJson, ToolResult};

use super::call_rest_api::RestAnswer;
use super::fit;
use crate::client::Api;
use crate::request::ApiResponse;

/// Bytes of an error's body that a model reads at most.
const MOST_EXCERPT: usize = 2048;

/// Bytes of it in the sentence.
const MOST_SENTENCE: usize = 500;

/// The API answered, with a failure: the model should know of it, and the service itself is well.
pub(super) fn status(api: &Api, response: &ApiResponse) -> Result<ToolResult, Error> {
    let status = response.status;
    let mut text = format!("The API answered with status {}", status.as_u16());
    if let Some(reason) = status.canonical_reason() {
        text.push_str(&format!(" ({reason})"));
    }
    match fit::sentence(response, MOST_SENTENCE) {
        Some(said) => text.push_str(&format!(": {said}")),
        None => text.push('.'),
    }
    if let Some(hint) = hint(status.as_u16()) {
        text.push('\n');
        text.push_str(hint);
    }
    let answer = RestAnswer::new(api, response, fit::body(response, MOST_EXCERPT)?);
    Ok(ToolResult::error(text).with_structured(RawJson::from_value(&answer)?))
}

fn hint(status: u16) -> Option<&'static str> {
    Some(match status {
        300..=399 => "Redirects are not followed here.",
        400 | 422 => "Mend the request before you send it again.",
        401 => "The configured credentials are missing or refused: this is for the operator to change.",
        403 => "The configured credentials do not allow this.",
        404 | 410 => "Check the path and the names in it.",
        405 => "Try another method.",
        409 | 412 => "Read the present state first.",
        500..=599 => "The fault is the API's; the same call may work later.",
        _ => return None,
    })
}
