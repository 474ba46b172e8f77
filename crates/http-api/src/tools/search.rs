//! `search_web`.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline_core::protocol::ToolDefinition;
use towline_core::{Error, ErrorKind, Tool, ToolCall, ToolResult};

use super::{ask, reads_the_world};
use crate::client::{Api, CallOptions};
use crate::encode::encode;
use crate::request::ApiRequest;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// What to search for.
    #[schemars(length(min = 1, max = 400))]
    query: String,
    /// How many results at most.
    #[serde(default = "usual_results")]
    #[schemars(range(min = 1, max = 50))]
    num_results: u8,
}

fn usual_results() -> u8 {
    10
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
struct Found {
    results: Vec<Page>,
    /// How many the API knows of, if it says so.
    total: Option<u64>,
}

/// One page.
#[derive(Debug, Serialize, JsonSchema)]
struct Page {
    title: String,
    url: String,
    snippet: Option<String>,
}

/// The shapes in which APIs tell it: a plain list, one within `web`, or `items`.
#[derive(Deserialize)]
struct Given {
    results: Option<Vec<GivenPage>>,
    items: Option<Vec<GivenPage>>,
    web: Option<GivenWeb>,
    total: Option<u64>,
}

#[derive(Deserialize)]
struct GivenWeb {
    results: Vec<GivenPage>,
}

#[derive(Deserialize)]
struct GivenPage {
    #[serde(default)]
    title: String,
    #[serde(alias = "link")]
    url: String,
    #[serde(alias = "description", alias = "content")]
    snippet: Option<String>,
}

/// The tool `search_web`.
#[derive(Debug)]
pub(super) struct SearchWeb {
    definition: ToolDefinition,
    api: Api,
}

impl SearchWeb {
    pub(super) fn new(api: Api) -> Self {
        let definition =
            ToolDefinition::new("search_web", "Searches the web and returns titles, URLs and snippets.")
                .with_title("Search the web")
                .with_input::<Arguments>()
                .with_output::<Found>()
                .with_annotations(reads_the_world());
        Self { definition, api }
    }
}

#[async_trait]
impl Tool for SearchWeb {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let Arguments { query, num_results } = call.parse()?;
        if query.trim().is_empty() {
            return Err(Error::new(ErrorKind::InvalidParams, "`query` must not be blank."));
        }
        let named = &self.api.config().named_tool;
        let path = named.path.clone().unwrap_or_else(|| "/search".into());
        let request = ApiRequest::get(path).with_query(format!(
            "{}={}&{}={num_results}",
            encode(named.parameter("query", "q")),
            encode(&query),
            encode(named.parameter("num_results", "num")),
        ));
        let options = CallOptions::new().with_cache_for(Duration::from_secs(3600));
        let given: Given = match ask(&self.api, request, &options, call.context()).await? {
            Ok(given) => given,
            Err(failed) => return Ok(failed),
        };
        let pages = given.results.or(given.items).or(given.web.map(|web| web.results)).unwrap_or_default();
        let results = pages
            .into_iter()
            .take(num_results.into())
            .map(|page| Page { title: page.title, url: page.url, snippet: page.snippet })
            .collect();
        ToolResult::json(&Found { results, total: given.total })
    }
}
