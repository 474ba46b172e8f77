//! What an API answered, as a tool's result.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, LINK, LOCATION, RETRY_AFTER};
use serde_json::Value;
use towline_core::protocol::Content;
use towline_core::{RawJson, Schema, ToolResult};

use super::body::{essence, is_json};
use super::text;
use crate::request::ApiResponse;

/// Characters of a refusal that the model reads at most.
const MAX_EXCERPT: usize = 2000;

/// Characters of a header that the model reads at most.
const MAX_HEADER: usize = 1000;

/// The result that a model gets of an answer: what JSON it is as data, anything else as text, a picture or a sound.
///
/// A tool with an output schema promises data that keeps it. An answer that does not is an error that holds the
/// answer and says what happened, so that nobody calls again what has been done.
pub(super) fn result(response: &ApiResponse, output: Option<&Schema>) -> ToolResult {
    if !response.status.is_success() {
        return ToolResult::error(refusal(response));
    }
    let media_type = media_type(&response.headers);
    if let Some(media) = media(response, &media_type) {
        return media;
    }
    let Ok(text) = std::str::from_utf8(&response.body) else {
        return binary(response, &media_type, output);
    };
    let text = text.trim_start_matches('\u{feff}');
    let may_be_json = media_type.is_empty() || is_json(&media_type);
    let json = may_be_json.then(|| RawJson::from_text(text.to_owned()).ok()).flatten();
    let result = match (json, output) {
        (Some(json), None) if json.as_str().trim_start().starts_with('{') => {
            ToolResult::text(text).with_structured(json)
        }
        (Some(json), Some(schema)) => match json
            .parse::<Value>()
            .map_err(|error| error.to_string())
            .and_then(|value| schema.check(&value))
        {
            Ok(()) => ToolResult::text(text).with_structured(json),
            Err(problem) => return unexpected(response, &problem, text),
        },
        (None, Some(schema))
            if text.is_empty() && schema.check(&Value::Object(Default::default())).is_ok() =>
        {
            ToolResult::text(done(response)).with_structured(RawJson::EMPTY_OBJECT)
        }
        (_, Some(_)) => return unexpected(response, "it is no complete JSON", text),
        _ if text.is_empty() => ToolResult::text(done(response)),
        _ => ToolResult::text(text),
    };
    let result =
        if response.is_cut { result.with_content(Content::text(cut_note(response))) } else { result };
    match header_notes(&response.headers) {
        Some(notes) => result.with_content(Content::text(notes)),
        None => result,
    }
}

fn media_type(headers: &HeaderMap) -> String {
    essence(headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default())
}

fn status(response: &ApiResponse) -> String {
    let reason = response.status.canonical_reason().unwrap_or_default();
    format!("{} {reason}", response.status.as_u16()).trim_end().to_owned()
}

fn done(response: &ApiResponse) -> String {
    format!("Done: the API answered {}, without a body.", status(response))
}

fn cut_note(response: &ApiResponse) -> String {
    format!(
        "The answer is longer; these are its first {} bytes. Ask for less, or for a later page.",
        response.body.len()
    )
}

fn refusal(response: &ApiResponse) -> String {
    let mut message = format!("The API answered {}.", status(response));
    let body = String::from_utf8_lossy(&response.body);
    let is_markup = media_type(&response.headers) == "text/html";
    let excerpt = text::clean(&body, MAX_EXCERPT);
    if !excerpt.is_empty() && !is_markup {
        message.push_str(" It says: ");
        message.push_str(&excerpt);
    }
    if let Some(wait) = response.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()) {
        message.push_str(&format!(
            " It asks to wait before another try (Retry-After: {}).",
            text::clean(wait, 60)
        ));
    }
    message
}

fn unexpected(response: &ApiResponse, problem: &str, body: &str) -> ToolResult {
    let note = if response.is_cut { format!(" {}", cut_note(response)) } else { String::new() };
    ToolResult::error(format!(
        "The call succeeded ({}), so do not repeat it; but the answer is not of the form that the API's description \
         promises: {}.{note} The answer: {body}",
        status(response),
        text::clean(problem, 300),
    ))
}

/// Pictures and sounds as such.
fn media(response: &ApiResponse, media_type: &str) -> Option<ToolResult> {
    if response.is_cut || response.body.is_empty() {
        return None;
    }
    let content = match media_type.split('/').next()? {
        "image" if media_type != "image/svg+xml" => Content::image(&response.body, media_type.to_owned()),
        "audio" => Content::audio(&response.body, media_type.to_owned()),
        _ => return None,
    };
    Some(ToolResult::new([content]))
}

fn binary(response: &ApiResponse, media_type: &str, output: Option<&Schema>) -> ToolResult {
    let kind = if media_type.is_empty() { "unknown type" } else { media_type };
    let what = format!(
        "The API answered {} with {} bytes of {kind}, which is no text.",
        status(response),
        response.body.len()
    );
    if output.is_some() { ToolResult::error(what) } else { ToolResult::text(what) }
}

/// What a model needs of the headers to go on: where a new thing is, and where the next page is.
fn header_notes(headers: &HeaderMap) -> Option<String> {
    let each = [LOCATION, LINK].into_iter().filter_map(|name| {
        let value = headers.get(&name)?.to_str().ok()?;
        let title = if name == LINK { "Link" } else { "Location" };
        Some(format!("{title}: {}", text::clean(value, MAX_HEADER)))
    });
    let notes = each.collect::<Vec<_>>().join("\n");
    (!notes.is_empty()).then_some(notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use serde_json::json;

    fn answer(status: u16, media_type: &'static str, body: &[u8]) -> ApiResponse {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(media_type));
        ApiResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.to_vec().into(),
            is_cut: false,
            cache: crate::request::CacheStatus::Miss,
        }
    }

    fn schema() -> Schema {
        Schema::compile(
            json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}),
        )
        .unwrap()
    }

    #[test]
    fn an_object_is_data_and_anything_else_text() {
        let result =
            result(&answer(200, "application/json; charset=utf-8", br#"{"id": 1}"#), Some(&schema()));
        assert_eq!(
            (result.structured().unwrap().as_str(), result.first_text()),
            (r#"{"id": 1}"#, Some(r#"{"id": 1}"#))
        );
        let list = super::result(&answer(200, "application/json", b"[1]"), None);
        assert!(list.structured().is_none() && list.first_text() == Some("[1]"));
        let text = super::result(&answer(200, "text/plain", br#"{"id": 1}"#), None);
        assert!(text.structured().is_none());
    }

    #[test]
    fn an_answer_that_breaks_its_schema_says_that_the_call_succeeded() {
        for (media_type, body) in [
            ("application/json", &br#"{"id": "x"}"#[..]),
            ("application/json", b""),
            ("text/html", b"hi"),
            ("application/json", b"{\"id\":"),
        ] {
            let result = result(&answer(201, media_type, body), Some(&schema()));
            assert!(
                result.is_error()
                    && result.first_text().unwrap().starts_with("The call succeeded (201 Created)")
            );
        }
        let open = Schema::compile(json!({"type": "object"})).unwrap();
        assert!(!result(&answer(204, "", b""), Some(&open)).is_error());
    }

    #[test]
    fn a_refusal_has_status_and_a_bounded_excerpt() {
        let body = format!("{{\"message\": \"{}\"}}", "x".repeat(10_000));
        let mut refused = answer(429, "application/json", body.as_bytes());
        refused.headers.insert(RETRY_AFTER, http::HeaderValue::from_static("7"));
        let result = result(&refused, None);
        let text = result.first_text().unwrap();
        assert!(
            result.is_error()
                && text.starts_with("The API answered 429 Too Many Requests. It says: {\"message\"")
        );
        assert!(text.len() < 2200 && text.ends_with("(Retry-After: 7)."), "{text}");
        let page = super::result(&answer(502, "text/html", b"<html>nginx/1.2.3 at 10.0.0.7</html>"), None);
        assert_eq!(page.first_text(), Some("The API answered 502 Bad Gateway."));
    }

    #[test]
    fn what_is_cut_says_so_and_where_to_go_on_is_told() {
        let mut cut = answer(200, "application/json", b"{\"a\":[1,");
        cut.is_cut = true;
        cut.headers.insert(LINK, http::HeaderValue::from_static("</x?page=2>; rel=\"next\""));
        let result = result(&cut, None);
        let texts: Vec<_> = result.content().iter().filter_map(Content::as_text).collect();
        assert_eq!(texts.len(), 3);
        assert!(texts[1].contains("first 8 bytes") && texts[2] == "Link: </x?page=2>; rel=\"next\"");
    }

    #[test]
    fn pictures_are_pictures_and_other_bytes_are_described() {
        assert!(matches!(result(&answer(200, "image/png", &[0x89, 1]), None).content(), [Content::Image(_)]));
        let pdf = result(&answer(200, "application/pdf", &[0xff, 0xfe]), None);
        assert_eq!(
            pdf.first_text(),
            Some("The API answered 200 OK with 2 bytes of application/pdf, which is no text.")
        );
    }
}
