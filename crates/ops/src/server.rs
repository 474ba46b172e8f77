use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use towline_transport::http::{Host, Origin, SessionLimits};

use crate::{AuthConfig, Failure, Source};

/// How to serve: the section `[server]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Address and port for HTTP. Default: `127.0.0.1:8080`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Standard input and output instead of HTTP. Default: false.
    pub stdio: bool,
    /// The path of the MCP endpoint. Default: `/mcp`.
    pub path: String,
    /// Names besides loopback ones that clients may reach the server by (the `Host` header). Default: none.
    #[serde(deserialize_with = "parsed", serialize_with = "as_texts")]
    #[schemars(with = "Vec<String>")]
    pub allowed_hosts: Vec<Host>,
    /// Web pages that may call the server (the `Origin` header). Default: none.
    #[serde(deserialize_with = "parsed", serialize_with = "as_texts")]
    #[schemars(with = "Vec<String>")]
    pub allowed_origins: Vec<Origin>,
    /// Serve other machines without authentication. Default: false.
    pub allow_unauthenticated: bool,
    /// How many milliseconds the server goes on taking requests when it is asked to end and is no longer ready, so that
    /// who sends requests here can learn of it. Default: 0.
    pub shutdown_delay_ms: u64,
    /// How many milliseconds requests that run at the end have. Default: 20,000.
    pub shutdown_grace_ms: u64,
    /// What is kept of clients of older revisions, where they need it.
    pub sessions: SessionsConfig,
}

/// Sessions of clients of revisions before 2026-07-28, over HTTP: `[server.sessions]`.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SessionsConfig {
    /// How many there may be. With one more, the one that has been idle longest ends. With 0 there are none: such clients can
    /// then be asked for nothing, and are told of no changes. Default: 10,000.
    pub max: usize,
    /// How many milliseconds a session goes on whose client is gone. Default: 1,800,000, which is half an hour.
    pub idle_ms: u64,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self { max: 10_000, idle_ms: 30 * 60 * 1000 }
    }
}

impl SessionsConfig {
    pub(crate) fn limits(self) -> SessionLimits {
        SessionLimits::new().max(self.max).idle(Duration::from_millis(self.idle_ms))
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            stdio: false,
            path: "/mcp".into(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            allow_unauthenticated: false,
            shutdown_delay_ms: 0,
            shutdown_grace_ms: 20_000,
            sessions: SessionsConfig::default(),
        }
    }
}

impl ServerConfig {
    /// Holds the settings against what can work, and against what nobody wants by mistake.
    ///
    /// # Errors
    ///
    /// Names the key to change.
    pub fn check(&self, auth: &AuthConfig, source: &Source) -> Result<(), Failure> {
        auth.check(source)?;
        if !self.path.starts_with('/') {
            return Err(source.tell("server.path", "must begin with `/`"));
        }
        if self.sessions.idle_ms == 0 {
            return Err(
                source.tell("server.sessions.idle_ms", "must be more than 0; for no sessions, set `max = 0`")
            );
        }
        if !self.stdio && !self.listen.ip().is_loopback() && !auth.is_on() && !self.allow_unauthenticated {
            let address = self.listen;
            let problem = format!(
                "{address} lets other machines use the tools without authentication; set api_keys, jwt or \
                 introspection in [auth], listen on 127.0.0.1, or say --allow-unauthenticated if the network keeps strangers out"
            );
            return Err(source.tell("server.listen", &problem));
        }
        Ok(())
    }
}

fn as_texts<S: Serializer>(values: &[impl ToString], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

/// A list of texts, each in a form of its own.
fn parsed<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}
