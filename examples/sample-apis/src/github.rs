//! Repositories and issues: pages by `Link`, validators, and an issue that can be opened.

use http::StatusCode;
use http::header::{LINK, LOCATION};
use serde_json::{Value, json};

use crate::answer::{Answer, Freshness, challenge, error, json, revalidated, set};
use crate::call::Call;

/// The bearer token that opens issues and shows the private repository `octocat/private-notes`.
pub const GITHUB_TOKEN: &str = "sample-github-token";

struct Repository {
    id: u32,
    name: &'static str,
    description: &'static str,
    language: Option<&'static str>,
    is_private: bool,
    /// Issues that are there from the start, the last of them the newest.
    issues: usize,
}

/// All belong to `octocat`.
const REPOSITORIES: &[Repository] = &[
    Repository {
        id: 1_296_269,
        name: "hello-world",
        description: "My first repository",
        language: Some("Rust"),
        is_private: false,
        issues: 65,
    },
    Repository {
        id: 1_300_192,
        name: "spoon-knife",
        description: "A repository without issues",
        language: None,
        is_private: false,
        issues: 0,
    },
    Repository {
        id: 1_400_001,
        name: "private-notes",
        description: "Only for those who have the token",
        language: None,
        is_private: true,
        issues: 2,
    },
];

const UPDATED: &str = "2026-01-15T12:00:00Z";
const UPDATED_HTTP: &str = "Thu, 15 Jan 2026 12:00:00 GMT";

/// Issues opened at most.
const OPENED: usize = 1000;

pub(crate) fn repository(call: &Call<'_>) -> Answer {
    let Some(repository) = find(call) else { return not_found() };
    let is_open = |issue: &Value| issue["state"] == "open";
    let full_name = format!("octocat/{}", repository.name);
    let answer = json(
        StatusCode::OK,
        &json!({
            "id": repository.id,
            "name": repository.name,
            "full_name": full_name,
            "owner": { "login": "octocat", "type": "User" },
            "private": repository.is_private,
            "description": repository.description,
            "html_url": format!("https://github.com/{full_name}"),
            "language": repository.language,
            "default_branch": "main",
            "topics": ["sample", "hello"],
            "license": { "key": "mit", "spdx_id": "MIT" },
            "stargazers_count": 80,
            "forks_count": 9,
            "open_issues_count": issues(call, repository).iter().filter(|issue| is_open(issue)).count(),
            "created_at": "2011-01-26T19:01:12Z",
            "updated_at": UPDATED,
        }),
    );
    cacheable(call, repository, answer)
}

pub(crate) fn list_issues(call: &Call<'_>) -> Answer {
    let Some(repository) = find(call) else { return not_found() };
    let state = call.query("state").unwrap_or_else(|| "open".into());
    if !matches!(state.as_str(), "open" | "closed" | "all") {
        return invalid("`state` must be open, closed or all");
    }
    let (page, size) = match (call.number("page", 1, 1..=100_000), call.number("per_page", 30, 1..=100)) {
        (Ok(page), Ok(size)) => (page, size),
        (Err(problem), _) | (_, Err(problem)) => return invalid(&problem),
    };
    let mut all = issues(call, repository);
    all.retain(|issue| state == "all" || issue["state"] == state);
    let last = all.len().div_ceil(size).max(1);
    let shown: Vec<Value> = all.into_iter().skip((page - 1) * size).take(size).collect();
    let mut answer = cacheable(call, repository, json(StatusCode::OK, &shown.into()));
    let links = links(call, &state, size, page, last);
    // A 304 tells nothing that the caller has already.
    if answer.status() == StatusCode::OK && !links.is_empty() {
        set(&mut answer, LINK, &links);
    }
    answer
}

pub(crate) fn open_issue(call: &Call<'_>) -> Answer {
    let Some(repository) = find(call) else { return not_found() };
    if call.bearer() != Some(GITHUB_TOKEN) {
        return challenge(error(StatusCode::UNAUTHORIZED, "Requires authentication"), "Bearer");
    }
    let Ok(given) = serde_json::from_slice::<Value>(call.body) else {
        return error(StatusCode::BAD_REQUEST, "Problems parsing JSON");
    };
    let Some(title) = given["title"].as_str().filter(|title| !title.is_empty()) else {
        return invalid("`title` is missing");
    };
    let mut opened = call.state.issues();
    if opened.len() >= OPENED {
        return invalid("there are too many issues");
    }
    let number = repository.issues + opened.iter().filter(|(name, _)| *name == repository.name).count() + 1;
    let issue = issue(repository, number, title, given["body"].as_str(), true);
    opened.push((repository.name, issue.clone()));
    let mut answer = json(StatusCode::CREATED, &issue);
    set(
        &mut answer,
        LOCATION,
        &format!("{}/github/repos/octocat/{}/issues/{number}", call.base, repository.name),
    );
    answer
}

/// The repository of the path, unless it is private and the caller a stranger: who may not see it learns nothing.
fn find(call: &Call<'_>) -> Option<&'static Repository> {
    let (owner, name) = (call.capture(0), call.capture(1));
    let is_named = |repository: &&Repository| {
        owner.eq_ignore_ascii_case("octocat") && name.eq_ignore_ascii_case(repository.name)
    };
    REPOSITORIES
        .iter()
        .find(is_named)
        .filter(|repository| !repository.is_private || call.bearer() == Some(GITHUB_TOKEN))
}

/// The issues, the newest first. Every third is closed.
fn issues(call: &Call<'_>, repository: &Repository) -> Vec<Value> {
    let opened = call.state.issues();
    let opened =
        opened.iter().filter(|(name, _)| *name == repository.name).map(|(_, issue)| issue.clone()).rev();
    let first = (1..=repository.issues).rev().map(|number| {
        let title = ["Crash on start", "Say hello in more languages", "Typo in the greeting"][number % 3];
        issue(
            repository,
            number,
            &format!("{title} ({number})"),
            Some("It happens every time."),
            number % 3 != 0,
        )
    });
    opened.chain(first).collect()
}

fn issue(repository: &Repository, number: usize, title: &str, body: Option<&str>, is_open: bool) -> Value {
    let created = format!("2025-{:02}-{:02}T08:30:00Z", number % 12 + 1, number % 28 + 1);
    let user = ["octocat", "hubot", "monalisa"][number % 3];
    let labels = if number.is_multiple_of(2) { json!([{ "name": "bug" }]) } else { json!([]) };
    json!({
        "number": number,
        "title": title,
        "state": if is_open { "open" } else { "closed" },
        "user": { "login": user, "type": "User" },
        "labels": labels,
        "comments": number % 5,
        "body": body,
        "html_url": format!("https://github.com/octocat/{}/issues/{number}", repository.name),
        "created_at": created,
        "updated_at": UPDATED,
        "closed_at": if is_open { Value::Null } else { UPDATED.into() },
    })
}

fn cacheable(call: &Call<'_>, repository: &Repository, answer: Answer) -> Answer {
    let who = if repository.is_private { "private" } else { "public" };
    let cache_control = format!("{who}, max-age={}", call.state.options.max_age.as_secs());
    // Opened issues change what is shown while the date stays, so that the tag alone tells.
    let is_untouched = call.state.issues().iter().all(|(name, _)| *name != repository.name);
    let freshness = Freshness {
        cache_control: &cache_control,
        vary: Some("Accept, Authorization"),
        last_modified: is_untouched.then_some(UPDATED_HTTP),
    };
    revalidated(answer, call.headers, &freshness)
}

/// The `Link` header (RFC 8288), with absolute URLs as GitHub has them.
fn links(call: &Call<'_>, state: &str, size: usize, page: usize, last: usize) -> String {
    let link = |page: usize, relation: &str| {
        format!("<{}{}?state={state}&per_page={size}&page={page}>; rel=\"{relation}\"", call.base, call.path)
    };
    let mut links = Vec::new();
    if page > 1 {
        links.push(link((page - 1).min(last), "prev"));
    }
    if page < last {
        links.push(link(page + 1, "next"));
        links.push(link(last, "last"));
    }
    if page > 1 {
        links.push(link(1, "first"));
    }
    links.join(", ")
}

fn not_found() -> Answer {
    error(StatusCode::NOT_FOUND, "Not Found")
}

fn invalid(problem: &str) -> Answer {
    json(
        StatusCode::UNPROCESSABLE_ENTITY,
        &json!({ "message": "Validation Failed", "errors": [{ "message": problem }] }),
    )
}
