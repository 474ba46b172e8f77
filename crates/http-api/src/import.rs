//! Tools of the OpenAPI documents that the configuration names.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, Method};
use towline_core::{Context, Error, ToolSet};

use crate::client::{Api, Apis};
use crate::config::ConfigError;
use crate::openapi::{self, Document, Execute, OpenApiConfig, Report};
use crate::request::{ApiRequest, ApiResponse};

/// Tools that servers commonly have beside these: those of [`Router::health`](towline_core::Router::health), and of the
/// metrics.
const BUILT_IN: &[&str] = &["health_check", "server_info", "get_metrics"];

/// A document of that many bytes is read at most.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// What [`Apis::import`] made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Imported {
    /// The tools of all documents.
    pub tools: ToolSet,
    /// What came of each document, by the API's name: what was skipped and why, and what is worth knowing.
    pub reports: BTreeMap<String, Report>,
}

impl Apis {
    /// Makes tools of the OpenAPI documents that the APIs' configurations name in their `openapi` tables: of what
    /// the configured methods allow, and of nothing else. They stand beside those of [`tools`](crate::tools).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the API and the key: when a document cannot be had or read, and when two tools would
    /// have one name.
    pub async fn import(&self) -> Result<Imported, ConfigError> {
        let mut imported = Imported { tools: ToolSet::new(), reports: BTreeMap::new() };
        let mut names: HashSet<String> = BUILT_IN.iter().copied().map(String::from).collect();
        names.extend(crate::tools(self).definitions().map(|tool| tool.name.to_string()));
        for api in self.iter() {
            let Some(config) = &api.config().openapi else { continue };
            let within = |error: ConfigError| error.within("openapi").of(api.name());
            let document = document(api, config).await.map_err(within)?;
            let (tools, report) = openapi::tools(&document, config, Arc::new(api.clone()));
            for tool in tools.definitions() {
                if !names.insert(tool.name.to_string()) {
                    let problem = format!("must tell tools apart: there are two called `{}`", tool.name);
                    return Err(within(ConfigError::new("prefix", problem)));
                }
            }
            imported.tools = imported.tools.merge(tools);
            imported.reports.insert(api.name().to_owned(), report);
        }
        Ok(imported)
    }
}

async fn document(api: &Api, config: &OpenApiConfig) -> Result<Document, ConfigError> {
    let (key, bytes) = match (&config.file, &config.endpoint) {
        (Some(file), _) => {
            let refuse = |problem: String| {
                ConfigError::new("file", format!("cannot be read: {}: {problem}", file.display()))
            };
            let about = tokio::fs::metadata(file).await.map_err(|error| refuse(error.to_string()))?;
            if !about.is_file() || about.len() > MOST_BYTES {
                return Err(refuse("it is no file of 64 MiB at most".into()));
            }
            let bytes = tokio::fs::read(file).await.map_err(|error| refuse(error.to_string()))?;
            ("file", Bytes::from(bytes))
        }
        (None, Some(endpoint)) => ("endpoint", fetch(api, endpoint).await?),
        (None, None) => return Err(ConfigError::new("file", "or `endpoint` must say where the document is")),
    };
    // A document of a thousand operations takes a while to read.
    let document = tokio::task::spawn_blocking(move || Document::parse(&bytes)).await;
    let problem = match document {
        Ok(Ok(document)) => return Ok(document),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Err(ConfigError::new(key, format!("names a document that is of no use: {problem}")))
}

async fn fetch(api: &Api, endpoint: &str) -> Result<Bytes, ConfigError> {
    let refuse = |problem: String| ConfigError::new("endpoint", format!("cannot be read: {problem}"));
    let (path, query) = match endpoint.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (endpoint, None),
    };
    let mut request = ApiRequest::get(path);
    request.query = query;
    let answer = Api::execute(api, request, &Context::default()).await;
    let answer = answer.map_err(|error| refuse(error.message().to_owned()))?;
    if !answer.status.is_success() {
        return Err(refuse(format!("the API answered {}", answer.status)));
    }
    if answer.is_cut {
        let most = api.config().max_response_bytes;
        return Err(refuse(format!("it is longer than `max_response_bytes` ({most})")));
    }
    Ok(answer.body)
}

#[async_trait]
impl Execute for Api {
    async fn execute(&self, request: ApiRequest, context: &Context) -> Result<ApiResponse, Error> {
        let mut request = request;
        if self.sends(&ACCEPT) {
            // What the operator says goes before what the document says.
            request.headers.remove(ACCEPT);
        }
        let answer = Api::execute(self, request, context).await?;
        Ok(bounded(answer, self.config().max_result_bytes))
    }

    fn allows(&self, method: &Method) -> bool {
        Api::allows(self, method)
    }
}

/// Cuts text that is too long for a model. A picture or a sound is whole or of no use.
fn bounded(mut answer: ApiResponse, most: usize) -> ApiResponse {
    if answer.body.len() <= most || is_media(&answer.headers) {
        return answer;
    }
    // A character that is cut in two would make of text what is none.
    let mut end = most;
    while end > 0 && answer.body[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    answer.body.truncate(end);
    answer.is_cut = true;
    answer
}

fn is_media(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.trim_start().to_ascii_lowercase();
    (media_type.starts_with("image/") && !media_type.starts_with("image/svg"))
        || media_type.starts_with("audio/")
}
