//! How an operation's arguments become a request.

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};
use towline_core::Error;

use super::body::{self, Body};
use super::encode::{self, Keep, percent};
use super::parameter::{Location, Parameter, Writing};
use super::style::{self, Style};
use crate::request::ApiRequest;

/// How an operation's arguments become a request.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) method: Method,
    pub(super) path: Vec<Piece>,
    /// What stands in the query whatever the arguments are.
    pub(super) fixed_query: Option<String>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) accept: HeaderValue,
}

/// A piece of a path.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// As it is sent.
    Text(String),
    /// The value of the parameter at this place.
    Value(usize),
}

impl Plan {
    /// The request.
    ///
    /// # Errors
    ///
    /// `InvalidParams`, which names the argument.
    pub(super) fn request(&self, arguments: &Map<String, Value>) -> Result<ApiRequest, Error> {
        let mut query: Vec<String> = self.fixed_query.iter().cloned().collect();
        let mut cookies = Vec::new();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, self.accept.clone());
        for parameter in self.parameters.iter().filter(|parameter| parameter.location != Location::Path) {
            let Some(value) = arguments.get(&parameter.argument).filter(|value| !value.is_null()) else {
                if parameter.required {
                    return Err(body::missing(&parameter.argument));
                }
                continue;
            };
            match parameter.location {
                Location::Header => {
                    headers.append(header_name(parameter)?, header_value(parameter, value)?);
                }
                Location::Cookie => cookies.extend(cookie_pairs(parameter, value)?),
                _ => query.extend(query_pairs(parameter, value)),
            }
        }
        if !cookies.is_empty() {
            headers.insert(COOKIE, HeaderValue::from_str(&cookies.join("; ")).map_err(Error::internal)?);
        }
        let written = self.body.as_ref().map(|body| body.write(arguments)).transpose()?.flatten();
        let body = written.map(|(bytes, media_type)| {
            headers.insert(CONTENT_TYPE, media_type);
            bytes
        });
        let query = (!query.is_empty()).then(|| query.join("&"));
        Ok(ApiRequest { method: self.method.clone(), path: self.path(arguments)?, query, headers, body })
    }

    fn path(&self, arguments: &Map<String, Value>) -> Result<String, Error> {
        let mut path = String::new();
        for piece in &self.path {
            let parameter = match piece {
                Piece::Text(text) => {
                    path.push_str(text);
                    continue;
                }
                Piece::Value(at) => &self.parameters[*at],
            };
            let value = arguments.get(&parameter.argument).filter(|value| !value.is_null());
            let value = value.ok_or_else(|| body::missing(&parameter.argument))?;
            let written = match &parameter.writing {
                Writing::Style { style, explode, keep } => {
                    style::in_path(&parameter.name, value, *style, *explode, *keep)
                }
                other => whole(other, value),
            };
            if written.is_empty() {
                let message = format!("Invalid arguments: `{}` must not be empty.", parameter.argument);
                return Err(Error::invalid_params(message));
            }
            path.push_str(&written);
        }
        if encode::has_dot_segment(&path) {
            return Err(Error::invalid_params(
                "Invalid arguments: no part of a path may be `.` or `..`; name the thing itself.",
            ));
        }
        Ok(path)
    }
}

/// A value as a document of its own, percent-encoded.
fn whole(writing: &Writing, value: &Value) -> String {
    let text = if *writing == Writing::Json { value.to_string() } else { style::scalar(value) };
    let mut out = String::new();
    percent(&mut out, &text, Keep::Unreserved);
    out
}

fn query_pairs(parameter: &Parameter, value: &Value) -> Vec<String> {
    match &parameter.writing {
        Writing::Style { style, explode, keep } => {
            style::in_query(&parameter.name, value, *style, *explode, *keep)
        }
        Writing::Form => match value {
            Value::Object(fields) => fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .flat_map(|(name, value)| style::in_query(name, value, Style::Form, true, Keep::Unreserved))
                .collect(),
            other => vec![whole(&Writing::Text, other)],
        },
        writing if parameter.location == Location::QueryString => vec![whole(writing, value)],
        writing => {
            let text = if *writing == Writing::Json { value.to_string() } else { style::scalar(value) };
            style::in_query(&parameter.name, &Value::String(text), Style::Form, false, Keep::Unreserved)
        }
    }
}

fn header_name(parameter: &Parameter) -> Result<HeaderName, Error> {
    HeaderName::from_bytes(parameter.name.as_bytes()).map_err(Error::internal)
}

fn header_value(parameter: &Parameter, value: &Value) -> Result<HeaderValue, Error> {
    let text = match &parameter.writing {
        Writing::Style { style, explode, .. } => {
            let separator = match style {
                Style::Delimited("%20") => " ",
                Style::Delimited("%09") => "\t",
                Style::Delimited(_) => "|",
                _ => ",",
            };
            style::simple(value, *explode, None, separator)
        }
        Writing::Json => value.to_string(),
        Writing::Text | Writing::Form => style::scalar(value),
    };
    let is_visible = text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    HeaderValue::from_str(&text).ok().filter(|_| is_visible).ok_or_else(|| {
        let name = &parameter.argument;
        Error::invalid_params(format!("Invalid arguments: `{name}` may have visible ASCII characters only."))
    })
}

fn cookie_pairs(parameter: &Parameter, value: &Value) -> Result<Vec<String>, Error> {
    let pairs = match &parameter.writing {
        Writing::Style { style, explode, keep } => {
            style::in_query(&parameter.name, value, *style, *explode, *keep)
        }
        writing => vec![format!("{}={}", parameter.name, whole(writing, value))],
    };
    // RFC 6265, "cookie-octet"; what is encoded is always within it.
    let fits = |pair: &String| pair.bytes().all(|byte| byte.is_ascii_graphic() && !b";\"\\".contains(&byte));
    if pairs.iter().all(fits) {
        return Ok(pairs);
    }
    let name = &parameter.argument;
    Err(Error::invalid_params(format!("Invalid arguments: `{name}` has characters that no cookie can have.")))
}
