//! What a server program has around its tools: settings from a file, the environment and the command line; logs on
//! standard error; stdio or HTTP; and an end that says what to change.
//!
//! A program defines the sections of its own and gets the rest from here:
//!
//! ```
//! use serde::Deserialize;
//! use towline_ops::{AuthConfig, ServerConfig, Settings};
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields, default)]
//! #[derive(Default)]
//! struct Config {
//!     server: ServerConfig,
//!     auth: AuthConfig,
//!     greeting: String,
//! }
//!
//! let environment = [("TOWLINE__GREETING".to_owned(), "Hello".to_owned())];
//! let (config, source) = Settings::read(None, environment)?.parse::<Config>()?;
//! config.server.check(&config.auth, &source)?;
//! assert_eq!(config.greeting, "Hello");
//! # Ok::<(), towline_ops::Failure>(())
//! ```

mod admin;
mod args;
mod auth;
mod failure;
mod healthcheck;
mod key;
mod logs;
mod serve;
mod server;
mod settings;
mod source;

pub use admin::{Admin, AdminConfig, Drain};
pub use args::{Command, ServeArgs};
pub use auth::{AuthConfig, IntrospectionConfig, JwtConfig, ScopesConfig};
pub use failure::Failure;
pub use healthcheck::healthcheck;
pub use key::{ApiKeyArgs, api_key};
pub use logs::log_to_stderr;
pub use serve::{environment, say, serve};
pub use server::ServerConfig;
pub use settings::Settings;
pub use source::Source;
