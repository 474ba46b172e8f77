//! A small server of sample HTTP APIs, with faults on demand.
//!
//! Demonstrations and tests need an upstream that is always there, always answers the same, and fails when told to.
//! [`Upstream::start`] gives one, on loopback and bounded; dropping it ends all of it. The binary `sample-apis` serves
//! the same.
//!
//! | below | what it is like |
//! |---|---|
//! | `/github` | repositories and issues: pages by `Link`, `ETag` and `Last-Modified`, `Cache-Control`; writing wants [`GITHUB_TOKEN`] |
//! | `/weather` | forecasts for a few cities, cacheable by anyone |
//! | `/slack` | an incoming webhook whose path is its secret ([`SLACK_WEBHOOK`]), and an API that wants [`SLACK_TOKEN`]; `/slack/sent` tells what arrived |
//! | `/search` | pages by cursor; wants [`SEARCH_KEY`] in a header or in the query |
//! | `/oauth` | client credentials ([`CLIENT_ID`], [`CLIENT_SECRET`]) for short-lived tokens, and a report that wants one |
//! | `/echo` | tells what arrived, secrets and all |
//! | `/openapi.json` | the OpenAPI 3.1 document of all this |
//!
//! `POST /faults` with a [`Rule`] as JSON, or [`Upstream::fault`], makes what lies below a path prefix fail: see
//! [`Fault`]. `GET /requests`, or [`Upstream::requests`], tells what arrived. `/faults` and `/requests` themselves never
//! fail and are not told of.
//!
//! ```
//! use std::time::Duration;
//! use sample_apis::{Fault, Options, Rule, Upstream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let upstream = Upstream::start(Options::default()).await?;
//! upstream.fault(Rule::new("/weather", Fault::slow(Duration::from_millis(500))).times(3));
//! // Now call `upstream.url()` + "/weather/forecast?city=Berlin".
//! assert_eq!(upstream.count("/weather"), 0);
//! # Ok(())
//! # }
//! ```

mod admin;
mod answer;
mod call;
mod echo;
mod fault;
mod github;
mod inject;
mod oauth;
mod received;
mod routes;
mod rule;
mod search;
mod server;
mod slack;
mod state;
mod tls;
mod upstream;
mod weather;

pub use fault::{CutAt, Fault, Part, RedirectTo, RetryAfter};
pub use github::GITHUB_TOKEN;
pub use oauth::{CLIENT_ID, CLIENT_SECRET};
pub use received::{Origin, Received};
pub use routes::routes;
pub use rule::Rule;
pub use search::SEARCH_KEY;
pub use slack::{SLACK_TOKEN, SLACK_WEBHOOK};
pub use upstream::{Options, Upstream};
