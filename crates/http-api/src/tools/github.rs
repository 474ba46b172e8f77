//! `github_repository_info` and `github_list_issues`.

use std::time::Duration;

use async_trait::async_trait;
use http::header::ACCEPT;
use http::{HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline_core::protocol::ToolDefinition;
use towline_core::{Error, Tool, ToolCall, ToolResult};

use super::{ask, failure, reads_the_world};
use crate::client::{Api, CallOptions};
use crate::encode::encode;
use crate::page;
use crate::request::ApiRequest;

/// Issues of a page.
const PAGE: u32 = 30;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RepositoryArguments {
    /// Who owns the repository: a user or an organisation.
    #[schemars(length(min = 1, max = 100))]
    owner: String,
    /// The repository's name.
    #[schemars(length(min = 1, max = 100))]
    repo: String,
}

/// What is worth knowing of a repository.
#[derive(Debug, Serialize, JsonSchema)]
struct Repository {
    /// Owner and name.
    full_name: String,
    description: Option<String>,
    url: Option<String>,
    private: bool,
    archived: bool,
    default_branch: Option<String>,
    language: Option<String>,
    topics: Vec<String>,
    /// The licence's SPDX identifier.
    license: Option<String>,
    stars: u64,
    forks: u64,
    /// Issues and pull requests.
    open_issues: u64,
    created_at: Option<String>,
    updated_at: Option<String>,
}

/// The same, as the API tells it.
#[derive(Deserialize)]
struct GivenRepository {
    full_name: String,
    description: Option<String>,
    html_url: Option<String>,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    archived: bool,
    default_branch: Option<String>,
    language: Option<String>,
    #[serde(default)]
    topics: Vec<String>,
    license: Option<GivenLicense>,
    #[serde(default)]
    stargazers_count: u64,
    #[serde(default)]
    forks_count: u64,
    #[serde(default)]
    open_issues_count: u64,
    created_at: Option<String>,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct GivenLicense {
    spdx_id: Option<String>,
}

/// The tool `github_repository_info`.
#[derive(Debug)]
pub(super) struct RepositoryInfo {
    definition: ToolDefinition,
    api: Api,
}

impl RepositoryInfo {
    pub(super) fn new(api: Api) -> Self {
        let definition = ToolDefinition::new("github_repository_info", "Tells about a repository on GitHub.")
            .with_title("GitHub repository")
            .with_input::<RepositoryArguments>()
            .with_output::<Repository>()
            .with_annotations(reads_the_world());
        Self { definition, api }
    }
}

#[async_trait]
impl Tool for RepositoryInfo {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let RepositoryArguments { owner, repo } = call.parse()?;
        let request = request(format!("/repos/{}/{}", encode(&owner), encode(&repo)));
        let options = CallOptions::new().with_cache_for(Duration::from_secs(300));
        let given: GivenRepository = match ask(&self.api, request, &options, call.context()).await? {
            Ok(given) => given,
            Err(failed) => return Ok(failed),
        };
        ToolResult::json(&Repository {
            full_name: given.full_name,
            description: given.description,
            url: given.html_url,
            private: given.private,
            archived: given.archived,
            default_branch: given.default_branch,
            language: given.language,
            topics: given.topics,
            license: given.license.and_then(|license| license.spdx_id),
            stars: given.stargazers_count,
            forks: given.forks_count,
            open_issues: given.open_issues_count,
            created_at: given.created_at,
            updated_at: given.updated_at,
        })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IssuesArguments {
    /// Who owns the repository: a user or an organisation.
    #[schemars(length(min = 1, max = 100))]
    owner: String,
    /// The repository's name.
    #[schemars(length(min = 1, max = 100))]
    repo: String,
    /// Which issues.
    #[serde(default)]
    state: State,
    /// Which page of 30, from 1.
    #[serde(default = "first_page")]
    #[schemars(range(min = 1, max = 10_000))]
    page: u32,
}

fn first_page() -> u32 {
    1
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    #[default]
    Open,
    Closed,
    All,
}

/// One page of a repository's issues.
#[derive(Debug, Serialize, JsonSchema)]
struct Issues {
    issues: Vec<Issue>,
    /// The page that these are.
    page: u32,
    /// The page after it, if there is one.
    next_page: Option<u32>,
}

/// What is worth knowing of an issue.
#[derive(Debug, Serialize, JsonSchema)]
struct Issue {
    number: u64,
    title: String,
    /// `open` or `closed`.
    state: String,
    author: Option<String>,
    labels: Vec<String>,
    comments: u64,
    is_pull_request: bool,
    url: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    closed_at: Option<String>,
}

#[derive(Deserialize)]
struct GivenIssue {
    number: u64,
    title: String,
    state: String,
    user: Option<GivenUser>,
    #[serde(default)]
    labels: Vec<GivenLabel>,
    #[serde(default)]
    comments: u64,
    pull_request: Option<serde::de::IgnoredAny>,
    html_url: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    closed_at: Option<String>,
}

#[derive(Deserialize)]
struct GivenUser {
    login: String,
}

/// GitHub gives both forms.
#[derive(Deserialize)]
#[serde(untagged)]
enum GivenLabel {
    Name(String),
    Label { name: Option<String> },
}

/// The tool `github_list_issues`.
#[derive(Debug)]
pub(super) struct ListIssues {
    definition: ToolDefinition,
    api: Api,
}

impl ListIssues {
    pub(super) fn new(api: Api) -> Self {
        let definition = ToolDefinition::new(
            "github_list_issues",
            "Lists the issues and pull requests of a repository on GitHub, the newest first, without their texts.",
        )
        .with_title("GitHub issues")
        .with_input::<IssuesArguments>()
        .with_output::<Issues>()
        .with_annotations(reads_the_world());
        Self { definition, api }
    }
}

#[async_trait]
impl Tool for ListIssues {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let IssuesArguments { owner, repo, state, page } = call.parse()?;
        let state = match state {
            State::Open => "open",
            State::Closed => "closed",
            State::All => "all",
        };
        let request = request(format!("/repos/{}/{}/issues", encode(&owner), encode(&repo)))
            .with_query(format!("state={state}&per_page={PAGE}&page={page}"));
        let options = CallOptions::new().with_cache_for(Duration::from_secs(60));
        let response = self.api.execute_with(request.clone(), &options, call.context()).await?;
        if response.status != StatusCode::OK {
            return failure::status(&self.api, &response);
        }
        let given: Vec<GivenIssue> = serde_json::from_slice(&response.body).map_err(|error| {
            Error::new(
                towline_core::ErrorKind::Unavailable,
                "The API answered with something else than expected.",
            )
            .with_source(error)
        })?;
        // A full page without a `Link` may be the last; with one, the header tells.
        let has_links = response.headers.contains_key(http::header::LINK);
        let is_last = if has_links {
            page::next(&self.api, &request, &response).is_none()
        } else {
            given.len() < PAGE as usize
        };
        let issue = |given: GivenIssue| Issue {
            number: given.number,
            title: given.title,
            state: given.state,
            author: given.user.map(|user| user.login),
            labels: given.labels.into_iter().filter_map(GivenLabel::name).collect(),
            comments: given.comments,
            is_pull_request: given.pull_request.is_some(),
            url: given.html_url,
            created_at: given.created_at,
            updated_at: given.updated_at,
            closed_at: given.closed_at,
        };
        ToolResult::json(&Issues {
            issues: given.into_iter().map(issue).collect(),
            page,
            next_page: (!is_last).then_some(page + 1),
        })
    }
}

impl GivenLabel {
    fn name(self) -> Option<String> {
        match self {
            Self::Name(name) => Some(name),
            Self::Label { name } => name,
        }
    }
}

fn request(path: String) -> ApiRequest {
    let mut request = ApiRequest::get(path);
    request.headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
    request
}
