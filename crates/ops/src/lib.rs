//! What a server program has around its tools: settings from a file, the environment and the command line; logs on
//! standard error; stdio or HTTP; and an end that says what to change.
//!
//! A program defines the sections of its own and gets the rest from here:
//!
//! ```
//! use serde::Deserialize;
//! use towline_ops::Settings;
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Own {
//!     greeting: String,
//! }
//!
//! let environment = [("TOWLINE__GREETING".to_owned(), "Hello".to_owned())];
//! let config = Settings::read(None, environment)?.config::<Own>()?;
//! assert_eq!((config.own.greeting.as_str(), config.server.listen.port()), ("Hello", 8080));
//! # Ok::<(), towline_ops::Failure>(())
//! ```

mod admin;
mod args;
mod auth;
mod check;
mod config;
mod current;
mod entrance;
mod failure;
mod healthcheck;
mod key;
mod logs;
mod redact;
mod reload;
mod run;
mod said;
mod schema;
mod serve;
mod server;
mod settings;
mod source;

pub use admin::{Admin, AdminConfig, Drain};
pub use args::{Command, ServeArgs};
pub use auth::{AuthConfig, IntrospectionConfig, JwtConfig, ScopesConfig};
pub use config::Config;
pub use current::Current;
pub use failure::Failure;
pub use healthcheck::healthcheck;
pub use key::{ApiKeyArgs, api_key};
pub use logs::{LogConfig, LogFormat, Logs, log_to_stderr};
pub use reload::Reload;
pub use run::run;
pub use serve::{environment, say, serve};
pub use server::{ServerConfig, SessionsConfig};
pub use settings::Settings;
pub use source::Source;
