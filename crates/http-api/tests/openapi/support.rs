//! What the tests of the OpenAPI import share.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use towline_core::{Context, Error, Schema, async_trait};
use towline_http_api::openapi::{Document, Execute, Operation};
use towline_http_api::{ApiRequest, ApiResponse, CacheStatus};

pub(crate) fn document(text: &Value) -> Document {
    Document::parse(text.to_string().as_bytes()).unwrap()
}

/// The document's first operation.
pub(crate) fn operation(document: &Document) -> Operation {
    let (mut operations, skipped) = document.operations();
    assert!(!operations.is_empty(), "{skipped:?}");
    operations.remove(0)
}

/// A document of version 3 with one operation that has one parameter.
pub(crate) fn v3(path: &str, is_in_path: bool, parameter: &Value) -> Document {
    let path = if is_in_path { path } else { "/x" };
    document(
        &json!({"openapi": "3.2.0", "paths": {path: {"get": {"parameters": [parameter], "responses": {}}}}}),
    )
}

/// A document of version 2.0 with one operation.
pub(crate) fn v2(path: &str, is_in_path: bool, parameters: &[Value], consumes: &[&str]) -> Document {
    let path = if is_in_path { path } else { "/x" };
    let mut operation = json!({"parameters": parameters, "responses": {}});
    if !consumes.is_empty() {
        operation["consumes"] = json!(consumes);
    }
    document(&json!({"swagger": "2.0", "paths": {path: {"post": operation}}}))
}

/// An API that gives one answer to everything, and keeps what it was asked.
pub(crate) struct Recorder {
    answer: ApiResponse,
    requests: Mutex<Vec<ApiRequest>>,
}

impl Recorder {
    pub(crate) fn answering(status: u16, media_type: &'static str, body: &'static str) -> Arc<Self> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(media_type));
        let status = StatusCode::from_u16(status).unwrap();
        let answer =
            ApiResponse { status, headers, body: body.into(), is_cut: false, cache: CacheStatus::Miss };
        Arc::new(Self { answer, requests: Mutex::default() })
    }

    pub(crate) fn last(&self) -> ApiRequest {
        self.requests.lock().unwrap().last().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

#[async_trait]
impl Execute for Recorder {
    async fn execute(&self, request: ApiRequest, _: &Context) -> Result<ApiResponse, Error> {
        self.requests.lock().unwrap().push(request);
        Ok(self.answer.clone())
    }
}

/// Decodes each `%XX`.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The request that an operation makes of arguments, which its own schema must allow.
pub(crate) fn request(document: &Document, arguments: &Value) -> Result<ApiRequest, String> {
    let operation = operation(document);
    let schema = Schema::compile(operation.input_schema()).unwrap();
    schema.check_arguments(arguments).map_err(|error| error.to_string())?;
    operation.request(arguments.as_object().unwrap()).map_err(|error| error.to_string())
}

pub(crate) fn headers(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap());
    values.collect::<Vec<_>>().join(" | ")
}

/// The body of a request, which is text.
pub(crate) fn body(request: &ApiRequest) -> String {
    String::from_utf8(request.body.clone().unwrap().to_vec()).unwrap()
}
