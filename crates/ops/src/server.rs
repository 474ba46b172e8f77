use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use towline_transport::http::{Host, Origin};

use crate::{AuthConfig, Failure, Source};

/// How to serve: the section `[server]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Address and port for HTTP. Default: `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// Standard input and output instead of HTTP. Default: false.
    pub stdio: bool,
    /// The path of the MCP endpoint. Default: `/mcp`.
    pub path: String,
    /// Names besides loopback ones that clients may reach the server by (the `Host` header). Default: none.
    #[serde(deserialize_with = "parsed")]
    pub allowed_hosts: Vec<Host>,
    /// Web pages that may call the server (the `Origin` header). Default: none.
    #[serde(deserialize_with = "parsed")]
    pub allowed_origins: Vec<Origin>,
    /// Serve other machines without authentication. Default: false.
    pub allow_unauthenticated: bool,
    /// How many milliseconds the server goes on taking requests when it is asked to end and is no longer ready, so that
    /// who sends requests here can learn of it. Default: 0.
    pub shutdown_delay_ms: u64,
    /// How many milliseconds requests that run at the end have. Default: 20,000.
    pub shutdown_grace_ms: u64,
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
        if !self.stdio && !self.listen.ip().is_loopback() && !auth.is_on() && !self.allow_unauthenticated {
            let address = self.listen;
            let problem = format!(
                "{address} lets other machines use the tools without authentication; set api_keys or jwt in [auth], listen on \
                 127.0.0.1, or say --allow-unauthenticated if the network keeps strangers out"
            );
            return Err(source.tell("server.listen", &problem));
        }
        Ok(())
    }
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
