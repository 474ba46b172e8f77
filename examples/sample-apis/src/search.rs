//! A search engine that finds the same 23 pages for every question, and none for `nothing`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{Answer, error, json};
use crate::call::Call;

/// The key that `/search` wants, as `X-Api-Key` or as `api_key` in the query.
pub const SEARCH_KEY: &str = "sample-search-key";

const FOUND: usize = 23;

pub(crate) fn search(call: &Call<'_>) -> Answer {
    let in_header = call.headers.get("x-api-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
    if in_header.or_else(|| call.query("api_key")).as_deref() != Some(SEARCH_KEY) {
        return error(StatusCode::UNAUTHORIZED, "the API key is missing or wrong");
    }
    match page(call) {
        Ok(page) => {
            let mut answer = json(StatusCode::OK, &page);
            crate::answer::set(&mut answer, http::header::CACHE_CONTROL, "private, no-store");
            answer
        }
        Err(problem) => error(StatusCode::BAD_REQUEST, &problem),
    }
}

fn page(call: &Call<'_>) -> Result<Value, String> {
    let question = call.query("q").filter(|q| !q.trim().is_empty()).ok_or("`q` is missing")?;
    let count = call.number("count", 10, 1..=50)?;
    let start = match call.query("cursor") {
        Some(cursor) => decode(&cursor).ok_or("`cursor` is none that this API gave out")?,
        None => 0,
    };
    let total = if question.trim() == "nothing" { 0 } else { FOUND };
    let end = (start + count).min(total);
    let results: Vec<Value> = (start..end)
        .map(|number| {
            json!({
                "title": format!("{question}, page {}", number + 1),
                "url": format!("https://example.com/pages/{}", number + 1),
                "snippet": format!("The {} of {total} pages that tell of {question}.", ordinal(number + 1)),
            })
        })
        .collect();
    let next = (end < total).then(|| encode(end));
    Ok(json!({ "query": question, "total": total, "results": results, "next_cursor": next }))
}

fn encode(start: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("from:{start}"))
}

fn decode(cursor: &str) -> Option<usize> {
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    decoded.strip_prefix("from:")?.parse().ok().filter(|start| *start <= FOUND)
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
