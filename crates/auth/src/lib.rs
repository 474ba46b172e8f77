//! Who may call what: API keys, OAuth 2.1 access tokens and scopes, as tower layers.
//!
//! [`AuthLayer`] stands around the HTTP service and finds out who calls: it holds the `Authorization` header against what
//! it knows (an [`ApiKeys`] file, the tokens of an issuer with [`Jwt`], anything that is [`Verify`]), refuses who shows
//! nothing good, and hands on a [`Principal`](towline_core::Principal) and a [`Grant`]. The token itself goes no further.
//!
//! [`ScopeLayer`] stands around the server and decides what the caller may do, by a [`ScopePolicy`]: which scopes each tool,
//! resource, prompt or method needs. Lists show what the caller may call.
//!
//! ```no_run
//! use towline_auth::{ApiKeys, AuthLayer, ScopeLayer, ScopePolicy};
//! use towline_core::{Router, Server, tool_fn};
//! use towline_transport::http::{HttpServer, HttpService};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let forget = tool_fn("forget", "Forgets everything.", async || "forgotten");
//! let policy = ScopePolicy::new().tool("forget", ["memory:write"]);
//! let server = Server::new(Router::new("example", "1.0.0").tool(forget)).layer(ScopeLayer::new(policy));
//!
//! let auth = AuthLayer::new().verifier(ApiKeys::watch("keys.toml")?);
//! HttpServer::from(HttpService::new(server)).layer(auth).serve("127.0.0.1:8080").await?;
//! # Ok(())
//! # }
//! ```

mod claims;
mod fetch;
mod grant;
mod http;
#[cfg(feature = "introspection")]
mod introspection;
mod jwt;
mod keys;
mod scopes;
mod time;
mod verify;

pub use self::fetch::InvalidUrl;
pub use self::grant::{Grant, Scopes};
pub use self::http::{Auth, AuthBody, AuthFuture, AuthLayer, InvalidResource, ProtectedResource};
#[cfg(feature = "introspection")]
pub use self::introspection::Introspection;
pub use self::jwt::{Algorithm, Jwt};
pub use self::keys::{ApiKey, ApiKeys, KeysError};
pub use self::scopes::{ScopeFuture, ScopeLayer, ScopePolicy, Scoped};
pub use self::verify::{Caller, Rejection, Verify};
