//! Tests MCP servers, whatever language they are written in.
//!
//! A [`Tester`] drives a Towline server in this process with all its layers, a program over stdio, or a URL. Its calls say
//! what they expect, and a failure shows the request, the answer and the difference.
//!
//! ```
//! use serde_json::json;
//! use towline_core::{Router, Server, tool_fn};
//! use towline_testkit::Tester;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), towline_testkit::ConnectError> {
//! let ping = tool_fn("ping", "Answers.", async || "pong");
//! let server = Server::new(Router::new("example", "1.0.0").tool(ping));
//!
//! let tester = Tester::in_process(server).await?;
//! tester.call("ping").expect_text_contains("pong").await;
//! tester.call("pin").expect_error("pin").await;
//! # Ok(())
//! # }
//! ```
//!
//! - [`fault`] makes servers and streams fail on demand; [`contract`] holds stores to what every store must do.
//! - [`Suite`] is a file of cases, run by [`Suite::run`] and by the command `towline-test`; [`Report`] is what comes of it.
//! - Time: everything here reads tokio's clock. In a test with `#[tokio::test(start_paused = true)]` and a server in
//!   process, `tokio::time::advance` moves the clock of limits, breakers, caches and deadlines, and a call that is
//!   never answered fails at once.
//! - Snapshots: `assert_answer_snapshot!`, with the feature `insta`.

mod answer;
mod call;
pub mod contract;
mod expectation;
mod failure;
pub mod fault;
mod input;
mod leak;
mod link;
mod measure;
mod raw;
pub mod report;
#[cfg(feature = "insta")]
mod snapshot;
mod suite;
mod target;
mod tester;

pub use answer::{Answer, Outcome};
pub use call::Call;
pub use expectation::Expectation;
pub use failure::Failure;
pub use input::sample_input;
pub use measure::{Load, Measurement, Percentiles, Thresholds};
pub use report::Report;
pub use suite::{Case, Negative, Performance, Security, Step, Suite, SuiteError, Texts, ToolCases};
pub use target::{Era, Target, TargetError};
pub use tester::{ConnectError, ServerInfo, Tester, ToolInfo};

#[cfg(feature = "insta")]
#[doc(hidden)]
pub use insta;
