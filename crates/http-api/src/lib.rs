//! HTTP APIs as tools of MCP servers.
//!
//! An operator configures APIs; a model calls them through tools, and can reach nothing else.
//!
//! An [`Api`] carries out an [`ApiRequest`] within its [`ApiConfig`]: below its base URL, at addresses that may be
//! connected to, with the credentials, limits, retries, breaker and cache of that API alone.

mod auth;
mod cache;
mod client;
mod config;
pub mod egress;
mod encode;
mod error;
mod health;
mod import;
pub mod openapi;
mod page;
mod request;
mod select;
mod tools;

pub use client::{Api, ApiBuilder, Apis, CallOptions, Resolve, Resolving};
pub use config::{
    ApiConfig, ApisConfig, AuthConfig, CacheConfig, ClientAuth, ConfigError, NamedToolConfig, OAuthConfig,
    PaginationConfig, ProxyConfig, RateLimitConfig, Secret,
};
pub use error::ApiError;
pub use import::Imported;
pub use request::{ApiRequest, ApiResponse, CacheStatus};
pub use tools::{Truncated, tools};
