//! Building blocks for production MCP (Model Context Protocol) servers.
//!
//! A server is a [`Router`] with tools, [tower] layers around it, and a transport:
//!
//! ```no_run
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use towline::{Router, Server, http, tool_fn};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Add {
//!     /// The first number.
//!     a: f64,
//!     /// The second number.
//!     b: f64,
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let add = tool_fn("add", "Adds two numbers.", async |Add { a, b }: Add| (a + b).to_string());
//!     let server = Server::new(Router::new("calculator", "1.0.0").tool(add));
//!     http::serve(server, "127.0.0.1:8080").await
//! }
//! ```
//!
//! The [`guide`] goes on from there.
//!
//! # Features
//!
//! | feature | what it brings | default |
//! |---|---|---|
//! | `auth` | who may call what over HTTP: API keys, OAuth 2.1 access tokens and scopes | no |
//! | `introspection` | asks the authorization server about tokens that cannot be read (RFC 7662) | no |
//! | `stdio` | serving over standard input and output, as desktop clients start servers | yes |
//! | `http` | serving Streamable HTTP over HTTP/1.1 and HTTP/2, also within axum or hyper | yes |
//! | `filesystem` | folders of files as tools and resources, and nothing outside of them; on Unix | no |
//! | `http-api` | HTTP APIs as tools: configured, bounded, and unable to reach anything else | no |
//! | `middleware` | tower layers: circuit breaker, rate limit, cache, metrics, retry and more | no |
//! | `otel` | exports spans to an OpenTelemetry collector | no |
//! | `ops` | what a server program has around its tools: settings, logs, listening | no |
//! | `postgres` | read-only PostgreSQL tools; building it needs libclang | no |
//! | `skills` | a folder of Agent Skills as resources, with the Skills extension | no |
//!
//! [tower]: https://docs.rs/tower

pub mod guide;

pub use towline_core::*;

#[cfg(feature = "auth")]
pub use towline_auth as auth;
#[cfg(feature = "filesystem")]
pub use towline_filesystem as filesystem;
#[cfg(feature = "http-api")]
pub use towline_http_api as http_api;
#[cfg(feature = "middleware")]
pub use towline_middleware as middleware;
#[cfg(feature = "ops")]
pub use towline_ops as ops;
#[cfg(feature = "postgres")]
pub use towline_postgres as postgres;
#[cfg(feature = "skills")]
pub use towline_skills as skills;
#[cfg(feature = "http")]
pub use towline_transport::http;
#[cfg(any(feature = "stdio", feature = "http"))]
pub use towline_transport::memory;
#[cfg(feature = "stdio")]
pub use towline_transport::stdio;
