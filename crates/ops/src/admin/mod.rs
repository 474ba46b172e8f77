//! What operators look at, at an address of its own: probes, metrics, and a live page.
//!
//! | path | what it tells |
//! |---|---|
//! | `/livez`, `/health` | the process works |
//! | `/readyz`, `/ready` | requests may be sent here: what is required answers, and the server is not going down; `?verbose` names each check |
//! | `/metrics` | OpenMetrics |
//! | `/admin/stats` | all figures as JSON, and live as events at `/admin/events` |
//! | `/` | the page |

mod guard;
mod page;
mod readiness;
mod routes;
mod stats;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use towline_core::health::{ConnectionPool, HealthCheck};
use towline_middleware::Stack;

pub use readiness::Drain;

use self::readiness::Readiness;
use crate::source::reason;
use crate::{Failure, Source};

/// Where operators look: the section `[admin]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AdminConfig {
    /// Address and port of the admin listener. Default: none, and there is no listener.
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// A file whose text is the password of the page and of what it shows. Without one, they are there for this machine
    /// alone; probes and metrics are there for whoever reaches the port.
    pub token_file: Option<std::path::PathBuf>,
}

impl AdminConfig {
    /// Reads the password.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is too short to be a password.
    fn token(&self, source: &Source) -> Result<Option<Box<str>>, Failure> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let told = |problem: &str| source.tell("admin.token_file", problem);
        let text = std::fs::read_to_string(path)
            .map_err(|error| told(&format!("cannot be read: {}", reason(&error))))?;
        match text.trim() {
            token if token.len() >= 16 => Ok(Some(token.into())),
            _ => Err(told("a password has 16 characters or more")),
        }
    }
}

/// What operators look at.
///
/// The page and what it shows are for this machine alone, unless there is a password.
#[derive(Clone)]
pub struct Admin(Arc<Inner>, Arc<[Arc<dyn ConnectionPool>]>);

struct Inner {
    name: String,
    version: String,
    stack: Stack,
    readiness: Readiness,
    token: Option<Box<str>>,
    listen: Option<SocketAddr>,
    page: page::Page,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("listen", &self.0.listen).finish_non_exhaustive()
    }
}

impl Admin {
    /// Shows a server of that name and version: what its layers count, and how what it requires is.
    ///
    /// # Errors
    ///
    /// When the password cannot be read.
    pub fn new(
        config: &AdminConfig,
        source: &Source,
        (name, version): (&str, &str),
        stack: &Stack,
        checks: impl IntoIterator<Item = Arc<dyn HealthCheck>>,
        drain: &Drain,
    ) -> Result<Self, Failure> {
        let inner = Inner {
            name: name.to_owned(),
            version: version.to_owned(),
            stack: stack.clone(),
            readiness: Readiness::new(checks.into_iter().collect(), drain.clone()),
            token: config.token(source)?,
            listen: config.listen,
            page: page::Page::new(),
        };
        Ok(Self(Arc::new(inner), Arc::default()))
    }

    /// Shows the connections of these pools too, on the page and among the metrics.
    #[must_use]
    pub fn pools(self, pools: impl IntoIterator<Item = Arc<dyn ConnectionPool>>) -> Self {
        let pools: Arc<[_]> = pools.into_iter().collect();
        self.0.stack.metrics().register_pools(pools.iter().cloned());
        Self(self.0, pools)
    }

    /// Begins to serve, if the settings say where, until the process ends.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened at.
    pub async fn start(&self) -> Result<(), Failure> {
        let Some(address) = self.0.listen else { return Ok(()) };
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let why = error.kind();
            Failure::refused(format!(
                "cannot listen on {address} ({why}) for administration: choose another with --admin"
            ))
        })?;
        let admin = self.clone();
        tokio::spawn(async move {
            if let Err(error) = admin.serve(listener).await {
                tracing::error!(%error, "the admin listener ended");
            }
        });
        Ok(())
    }

    /// Serves at that listener.
    ///
    /// # Errors
    ///
    /// When the listener fails.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        tracing::info!(address = %listener.local_addr()?, "administration");
        let routes = routes::router(self).into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, routes).await
    }
}
