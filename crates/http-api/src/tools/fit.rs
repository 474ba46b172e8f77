//! Makes bodies small enough for a model, and valid JSON still.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use towline_core::Error;

use crate::page::items;
use crate::request::ApiResponse;

/// What is left out of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Truncated {
    /// How much of it is there.
    pub shown: u64,
    /// How much there is, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is counted: `items` or `bytes`.
    pub unit: Cow<'static, str>,
    /// How to get the rest.
    pub hint: Cow<'static, str>,
}

const HINT: &str = "Choose fields with `select`, ask the API for smaller pages, or filter with `query`.";

/// A body as JSON: what is JSON as it is, text as a string, and nothing of what is neither.
pub(super) struct Fitted {
    pub(super) body: Box<RawValue>,
    pub(super) truncated: Option<Truncated>,
    /// What is wrong with a body that is not shown.
    pub(super) note: Option<String>,
}

/// The body of an answer, at most `most` bytes of it.
pub(super) fn body(response: &ApiResponse, most: usize) -> Result<Fitted, Error> {
    if response.body.is_empty() {
        return Ok(Fitted { body: raw(&())?, truncated: None, note: None });
    }
    if !response.is_cut
        && is_json(response)
        && let Some(json) = json(&response.body)
    {
        return json_body(json, most);
    }
    let Some(text) = text(response) else {
        let kind = content_type(response).unwrap_or("unknown content");
        let note = format!("{} bytes of {kind}, which is no text, are not shown.", response.body.len());
        return Ok(Fitted { body: raw(&())?, truncated: None, note: Some(note) });
    };
    let total = (!response.is_cut).then_some(text.len() as u64);
    excerpt(&text, most, total)
}

/// The body as JSON that every reader of JSON takes: a half of a surrogate pair and thousands of brackets, which are JSON by
/// its grammar, stay text.
fn json(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    serde_json::from_str::<Whole>(text).ok().map(|_| text)
}

/// A value that is read and thrown away: with each of its strings, and no deeper than serde_json goes.
struct Whole;

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// JSON, at most `most` bytes of it: an array loses items at its end, an object those of its largest array.
pub(super) fn json_body(json: &str, most: usize) -> Result<Fitted, Error> {
    if json.len() <= most {
        let body = serde_json::from_str(json).map_err(Error::internal)?;
        return Ok(Fitted { body, truncated: None, note: None });
    }
    let (head, list, tail) = match around_largest_list(json) {
        Some(parts) => parts,
        None => return excerpt(json, most, Some(json.len() as u64)),
    };
    let mut room = most.saturating_sub(head.len() + tail.len() + 2);
    let shown: Vec<&str> = list
        .iter()
        .map(|item| item.get())
        .take_while(|item| {
            let fits = item.len() < room;
            room = room.saturating_sub(item.len() + 1);
            fits
        })
        .collect();
    if shown.is_empty() {
        return excerpt(json, most, Some(json.len() as u64));
    }
    let truncated = Truncated {
        shown: shown.len() as u64,
        total: Some(list.len() as u64),
        unit: "items".into(),
        hint: HINT.into(),
    };
    let text = format!("{head}[{}]{tail}", shown.join(","));
    let body = RawValue::from_string(text).map_err(Error::internal)?;
    Ok(Fitted { body, truncated: Some(truncated), note: None })
}

/// What stands before the largest list, its items, and what stands after it.
fn around_largest_list(json: &str) -> Option<(&str, Vec<&RawValue>, &str)> {
    if json.starts_with('[') {
        return Some(("", items(json)?, ""));
    }
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json).ok()?;
    let lists = members.values().filter(|member| member.get().starts_with('['));
    let largest = lists.max_by_key(|list| list.get().len())?.get();
    // It is a part of the text, so its place is known.
    let start = largest.as_ptr() as usize - json.as_ptr() as usize;
    let list = serde_json::from_str(largest).ok()?;
    Some((&json[..start], list, &json[start + largest.len()..]))
}

/// The beginning of a text, as a string.
fn excerpt(text: &str, most: usize, total: Option<u64>) -> Result<Fitted, Error> {
    let shown = &text[..text.floor_char_boundary(most)];
    let is_cut = shown.len() < text.len() || total.is_none();
    let truncated = is_cut.then(|| Truncated {
        shown: shown.len() as u64,
        total,
        unit: "bytes".into(),
        hint: HINT.into(),
    });
    Ok(Fitted { body: raw(shown)?, truncated, note: None })
}

/// The beginning of a body, for a sentence.
pub(super) fn sentence(response: &ApiResponse, most: usize) -> Option<String> {
    let text = text(response)?;
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    (!text.is_empty()).then(|| {
        let shown = &text[..text.floor_char_boundary(most)];
        if shown.len() < text.len() { format!("{shown}...") } else { shown.to_owned() }
    })
}

pub(super) fn raw<T: Serialize + ?Sized>(value: &T) -> Result<Box<RawValue>, Error> {
    serde_json::value::to_raw_value(value).map_err(Error::internal)
}

pub(super) fn content_type(response: &ApiResponse) -> Option<&str> {
    response.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()
}

/// Whether it says that it is JSON, or says nothing.
fn is_json(response: &ApiResponse) -> bool {
    let Some(kind) = content_type(response) else { return true };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.ends_with("/json") || kind.ends_with("+json")
}

/// The body as text, if it is text.
fn text(response: &ApiResponse) -> Option<Cow<'_, str>> {
    let kind = content_type(response).unwrap_or_default().to_ascii_lowercase();
    let is_latin = ["iso-8859-1", "latin1", "windows-1252"].iter().any(|name| kind.contains(name));
    if is_latin {
        return Some(response.body.iter().map(|byte| char::from(*byte)).collect());
    }
    let body = match std::str::from_utf8(&response.body) {
        Ok(text) => text,
        // A cut may have gone through a character.
        Err(error) if response.is_cut && error.error_len().is_none() => {
            std::str::from_utf8(&response.body[..error.valid_up_to()]).ok()?
        }
        Err(_) if kind.starts_with("text/") => return Some(String::from_utf8_lossy(&response.body)),
        Err(_) => return None,
    };
    (!body.contains('\0')).then_some(Cow::Borrowed(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(json: &str, most: usize) -> (String, Option<(u64, Option<u64>, String)>) {
        let fitted = json_body(json, most).unwrap();
        let truncated = fitted.truncated.map(|cut| (cut.shown, cut.total, cut.unit.into_owned()));
        (fitted.body.get().to_owned(), truncated)
    }

    #[test]
    fn what_is_cut_is_json_still() {
        assert_eq!(fit("[1,2,3]", 7), ("[1,2,3]".into(), None));
        assert_eq!(fit("[1, 2, 3]", 6), ("[1,2]".into(), Some((2, Some(3), "items".into()))));
        let page = r#"{"total": 4, "items": ["aa", "bb", "cc", "dd"], "small": [1], "next": "x"}"#;
        let (body, cut) = fit(page, 66);
        assert_eq!(body, r#"{"total": 4, "items": ["aa","bb"], "small": [1], "next": "x"}"#);
        assert_eq!(cut, Some((2, Some(4), "items".into())));
        let (body, cut) = fit(r#"{"text": "äöüäöüäöü"}"#, 13);
        assert_eq!(body, r#""{\"text\": \"ä""#);
        assert_eq!(cut, Some((12, Some(30), "bytes".into())));
    }

    #[test]
    fn numbers_keep_every_digit() {
        let json = r#"[123456789012345678901234567890, 1.10, {"a": 1e400}]"#;
        assert_eq!(fit(json, 100).0, json);
    }
}
