//! Which request goes where.

use http::header::{ALLOW, HOST};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::answer::{Answer, error, set, with_type};
use crate::call::Call;
use crate::received::Received;
use crate::state::State;
use crate::{admin, echo, github, oauth, search, slack, weather};

struct Route {
    method: Method,
    /// `{names}` stand for one segment each.
    path: &'static str,
    run: fn(&Call<'_>) -> Answer,
}

const fn route(method: Method, path: &'static str, run: fn(&Call<'_>) -> Answer) -> Route {
    Route { method, path, run }
}

static ROUTES: &[Route] = &[
    route(Method::GET, "/github/repos/{owner}/{repo}", github::repository),
    route(Method::GET, "/github/repos/{owner}/{repo}/issues", github::list_issues),
    route(Method::POST, "/github/repos/{owner}/{repo}/issues", github::open_issue),
    route(Method::GET, "/weather/forecast", weather::forecast),
    route(Method::POST, "/slack/services/{team}/{bot}/{secret}", slack::webhook),
    route(Method::POST, "/slack/api/chat.postMessage", slack::post_message),
    route(Method::GET, "/slack/sent", slack::sent),
    route(Method::GET, "/search", search::search),
    route(Method::POST, "/oauth/token", oauth::token),
    route(Method::GET, "/oauth/report", oauth::report),
    route(Method::GET, "/echo", echo::echo),
    route(Method::POST, "/echo", echo::echo),
    route(Method::PUT, "/echo", echo::echo),
    route(Method::PATCH, "/echo", echo::echo),
    route(Method::DELETE, "/echo", echo::echo),
    route(Method::GET, "/openapi.json", openapi),
    route(Method::GET, "/faults", admin::faults),
    route(Method::POST, "/faults", admin::add_fault),
    route(Method::DELETE, "/faults", admin::clear_faults),
    route(Method::GET, "/requests", admin::requests),
    route(Method::DELETE, "/requests", admin::clear_requests),
];

/// Every method and path that is served; `{names}` in a path stand for one segment each.
pub fn routes() -> impl Iterator<Item = (Method, &'static str)> {
    ROUTES.iter().map(|route| (route.method.clone(), route.path))
}

/// Whether the path steers this server instead of playing an API.
pub(crate) fn is_admin(path: &str) -> bool {
    matches!(path, "/faults" | "/requests")
}

/// Carries a request out.
pub(crate) fn dispatch(state: &State, received: &Received, scheme: &str, authority: Option<&str>) -> Answer {
    // Where redirects to the same origin lead; see `RedirectTo::SameOrigin`.
    let mut path = received.path.as_str();
    while let Some(rest) = path.strip_prefix("/moved").filter(|rest| rest.starts_with('/')) {
        path = rest;
    }
    let host = authority.or_else(|| received.headers.get(HOST)?.to_str().ok()).unwrap_or("localhost");
    let base = format!("{scheme}://{host}");
    let matching = || ROUTES.iter().filter_map(|route| Some((route, captures(route.path, path)?)));
    let method = if received.method == Method::HEAD { &Method::GET } else { &received.method };
    if let Some((route, captures)) = matching().find(|(route, _)| route.method == *method) {
        return (route.run)(&Call {
            state,
            base: &base,
            method: &received.method,
            path,
            raw_query: received.query.as_deref().unwrap_or_default(),
            headers: &received.headers,
            body: &received.body,
            captures,
        });
    }
    let allowed: Vec<&str> = matching().map(|(route, _)| route.method.as_str()).collect();
    if allowed.is_empty() {
        return error(StatusCode::NOT_FOUND, "there is nothing at this path");
    }
    let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, "there is nothing for this method at this path");
    set(&mut answer, ALLOW, &allowed.join(", "));
    answer
}

/// What stands in place of the names, if the path fits the template.
fn captures(template: &str, path: &str) -> Option<Vec<String>> {
    let mut captures = Vec::new();
    let mut given = path.split('/');
    for expected in template.split('/') {
        let given = given.next()?;
        if expected.starts_with('{') {
            captures.push(percent_decode_str(given).decode_utf8().ok()?.into_owned());
        } else if expected != given {
            return None;
        }
    }
    given.next().is_none().then_some(captures)
}

fn openapi(call: &Call<'_>) -> Answer {
    // The document cannot know the port.
    let document = include_str!("openapi.json").replace("https://sample-apis.invalid", call.base);
    with_type(StatusCode::OK, "application/json", document)
}
