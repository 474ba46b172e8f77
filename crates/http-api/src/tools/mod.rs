//! The pack's tools.

mod call_rest_api;
mod failure;
mod fit;
mod github;
mod search;
mod slack;
mod weather;

use http::Method;
use serde::de::DeserializeOwned;
use towline_core::{Context, Error, ErrorKind, ToolResult, ToolSet};

use crate::client::{Api, Apis, CallOptions};
use crate::request::ApiRequest;

pub use fit::Truncated;

/// The pack's tools on these APIs.
///
/// `call_rest_api` reaches all of them. A tool that is named after what it does is there if the API that it needs is
/// configured under its name: `github`, `weather`, `search`, and `slack`, whose base URL is the webhook and which must
/// allow `POST`.
pub fn tools(apis: &Apis) -> ToolSet {
    let mut tools = ToolSet::new();
    if apis.is_empty() {
        return tools;
    }
    tools = tools.with(call_rest_api::CallRestApi::new(apis.clone()));
    if let Some(github) = apis.get("github") {
        tools = tools.with(github::RepositoryInfo::new(github.clone()));
        tools = tools.with(github::ListIssues::new(github.clone()));
    }
    if let Some(weather) = apis.get("weather") {
        tools = tools.with(weather::Forecast::new(weather.clone()));
    }
    if let Some(slack) = apis.get("slack").filter(|slack| slack.allows(&Method::POST)) {
        tools = tools.with(slack::SendNotification::new(slack.clone()));
    }
    if let Some(search) = apis.get("search") {
        tools = tools.with(search::SearchWeb::new(search.clone()));
    }
    tools
}

/// Hints of a tool that only reads, out in the world.
fn reads_the_world() -> towline_core::protocol::ToolAnnotations {
    let mut annotations = towline_core::protocol::ToolAnnotations::read_only();
    annotations.open_world_hint = Some(true);
    annotations
}

/// Asks an API for JSON of a known shape. The inner error is an answer too: what the API said instead.
async fn ask<T: DeserializeOwned>(
    api: &Api,
    request: ApiRequest,
    options: &CallOptions,
    context: &Context,
) -> Result<Result<T, ToolResult>, Error> {
    let response = api.execute_with(request, options, context).await?;
    if !response.status.is_success() {
        return failure::status(api, &response).map(Err);
    }
    match serde_json::from_slice(&response.body) {
        Ok(value) if !response.is_cut => Ok(Ok(value)),
        problem => {
            tracing::debug!(
                error = problem.err().map(tracing::field::display),
                "an API's answer is of another shape"
            );
            Err(Error::new(ErrorKind::Unavailable, "The API answered with something else than expected."))
        }
    }
}
