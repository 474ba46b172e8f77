use std::io::{ErrorKind, Write};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::sleep;
use towline_auth::AuthLayer;
use towline_core::Serve;
use towline_transport::http::{HttpServer, HttpService};
use towline_transport::{shutdown_signal, stdio};

use crate::{AuthConfig, Drain, Failure, ServerConfig};

/// Serves as the settings say, until the client or a signal ends it. Over HTTP it lets nobody pass whom `auth` does not know.
///
/// At SIGTERM or SIGINT the server is no longer ready at once; after a delay it takes no connections any more, and what runs
/// has its time to end. A second signal ends the process where it stands.
///
/// # Errors
///
/// When it cannot listen, the API keys cannot be read, or serving fails.
pub async fn serve(
    config: &ServerConfig,
    auth: &AuthConfig,
    server: impl Serve,
    drain: &Drain,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::refused(format!("serving failed: {error}"));
    if config.stdio {
        return stdio::serve(server).await.map_err(failed);
    }
    let hosts = config.allowed_hosts.iter().cloned();
    let service = hosts.fold(HttpService::new(server), HttpService::allow_host);
    let origins = config.allowed_origins.iter().cloned();
    let service = origins.fold(service, HttpService::allow_origin);
    let grace = Duration::from_millis(config.shutdown_grace_ms);
    let http = HttpServer::from(service).path(config.path.as_str()).shutdown_grace(grace);
    let listener = TcpListener::bind(config.listen).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => {
            let (address, why) = (config.listen, error.kind());
            Failure::refused(format!("cannot listen on {address} ({why}): choose another with --listen"))
        }
        _ => failed(error),
    })?;
    let end = end(drain, Duration::from_millis(config.shutdown_delay_ms));
    let served = match auth.layer()? {
        None => http.serve_until(listener, end).await,
        Some(layer) => {
            let origins = config.allowed_origins.iter().map(ToString::to_string);
            let layer = origins.fold(layer, AuthLayer::readable_by);
            http.layer(layer).serve_until(listener, end).await
        }
    };
    served.map_err(failed)
}

/// Waits until the process is asked to end, says that it is no longer ready, and lets the delay pass.
async fn end(drain: &Drain, delay: Duration) {
    shutdown_signal().await;
    drain.begin();
    tracing::info!("asked to end");
    tokio::spawn(async {
        shutdown_signal().await;
        tracing::warn!("asked to end at once");
        std::process::exit(130);
    });
    sleep(delay).await;
}

/// The environment, but for what is no text: that is none of ours.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Writes a line to standard output, for programs that do not serve there.
pub fn say(message: &str) {
    // Whoever closed it does not want to know.
    let _ = writeln!(std::io::stdout(), "{message}");
}
