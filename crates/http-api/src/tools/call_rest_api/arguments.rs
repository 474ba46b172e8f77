//! What a call takes, and the request that it means.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use towline_core::Error;

use crate::client::Api;
use crate::encode::encode;
use crate::request::ApiRequest;

/// What a call of `call_rest_api` takes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// The API to call.
    pub(super) api_name: String,
    /// The path below the API's base URL, such as `/repos/octocat/hello-world`; may have a query. Empty for the base URL
    /// itself.
    pub(super) endpoint: String,
    /// The HTTP method.
    #[serde(default)]
    pub(super) method: CallMethod,
    /// Query parameters; an array repeats its parameter. They are encoded for you.
    #[serde(default)]
    query: BTreeMap<String, Parameter>,
    /// Headers, such as `Accept`. Credentials and framing are set for you.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body: JSON, or a string that is sent as text. With the content type
    /// `application/x-www-form-urlencoded`, an object is sent as a form.
    #[serde(default)]
    #[schemars(with = "Option<Value>")]
    data: Option<Box<RawValue>>,
    /// Takes an answer that is no older than so many seconds from the cache, also if the API allows no caching.
    #[serde(default)]
    #[schemars(range(max = 86_400))]
    pub(super) cache_duration: Option<u32>,
    /// A JMESPath expression that keeps of the body what you need, such as `items[].{id: id, name: name}`.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub(super) select: Option<String>,
    /// Pages to fetch and join, if the answer has more than one.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(super) pages: Option<u32>,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum CallMethod {
    #[default]
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
}

impl From<CallMethod> for Method {
    fn from(method: CallMethod) -> Self {
        match method {
            CallMethod::Get => Self::GET,
            CallMethod::Head => Self::HEAD,
            CallMethod::Options => Self::OPTIONS,
            CallMethod::Post => Self::POST,
            CallMethod::Put => Self::PUT,
            CallMethod::Patch => Self::PATCH,
            CallMethod::Delete => Self::DELETE,
        }
    }
}

/// One value of a query, or several.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Parameter {
    One(Scalar),
    Many(Vec<Scalar>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(serde_json::Number),
    Flag(bool),
}

impl Scalar {
    fn pair(&self, name: &str) -> String {
        let value = match self {
            Self::Text(text) => encode(text),
            Self::Number(number) => encode(&number.to_string()),
            Self::Flag(flag) => flag.to_string(),
        };
        format!("{}={value}", encode(name))
    }
}

impl Arguments {
    /// The request that they mean.
    pub(super) fn request(&self, api: &Api) -> Result<ApiRequest, Error> {
        let (path, in_endpoint) = match self.endpoint.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.endpoint.as_str(), None),
        };
        let mut pairs: Vec<String> = in_endpoint.map(str::to_owned).into_iter().collect();
        for (name, value) in &self.query {
            match value {
                Parameter::One(value) => pairs.push(value.pair(name)),
                Parameter::Many(values) => pairs.extend(values.iter().map(|value| value.pair(name))),
            }
        }
        let mut headers = self.headers()?;
        if !headers.contains_key(ACCEPT) && !api.sends(&ACCEPT) {
            headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/*;q=0.8, */*;q=0.5"));
        }
        let body = self.body(&mut headers)?;
        Ok(ApiRequest {
            method: self.method.into(),
            path: with_slash(path),
            query: (!pairs.is_empty()).then(|| pairs.join("&")),
            headers,
            body,
        })
    }

    fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            let name: HeaderName = name.parse().map_err(|_| {
                Error::invalid_params(format!("`headers`: {shown:?} is no name of a header."))
            })?;
            let value = HeaderValue::from_str(value).map_err(|_| {
                Error::invalid_params(format!(
                    "`headers`: the value of {shown} must be ASCII without line breaks."
                ))
            })?;
            if headers.insert(name, value).is_some() {
                return Err(Error::invalid_params(format!("`headers`: {shown} is there twice.")));
            }
        }
        Ok(headers)
    }

    fn body(&self, headers: &mut HeaderMap) -> Result<Option<Bytes>, Error> {
        let Some(data) = self.data.as_ref().map(|data| data.get()).filter(|data| *data != "null") else {
            return Ok(None);
        };
        let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let usual = if data.starts_with('"') {
            let text: String = serde_json::from_str(data).map_err(Error::internal)?;
            if given.is_empty() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            }
            return Ok(Some(text.into()));
        } else {
            "application/json"
        };
        if given.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            let fields: BTreeMap<String, Parameter> = serde_json::from_str(data).map_err(|_| {
                Error::invalid_params(
                    "`data` must be an object of strings, numbers, booleans or arrays of these.",
                )
            })?;
            let pairs = fields.iter().flat_map(|(name, value)| match value {
                Parameter::One(value) => vec![value.pair(name)],
                Parameter::Many(values) => values.iter().map(|value| value.pair(name)).collect(),
            });
            return Ok(Some(pairs.collect::<Vec<_>>().join("&").into()));
        }
        if given.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(usual));
        }
        Ok(Some(data.to_owned().into()))
    }
}

/// Models often leave the slash out. Only what cannot be anything else gets one.
fn with_slash(path: &str) -> String {
    let first = path.split('/').next().unwrap_or_default();
    let is_plain = first.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && !first.contains([':', '@', '\\', '%']);
    if is_plain { format!("/{path}") } else { path.to_owned() }
}
