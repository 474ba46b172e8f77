use std::io::{ErrorKind, Write};

use towline_auth::AuthLayer;
use towline_core::Serve;
use towline_transport::http::{HttpServer, HttpService};
use towline_transport::stdio;

use crate::{AuthConfig, Failure, ServerConfig};

/// Serves as the settings say, until the client or a signal ends it. Over HTTP it lets nobody pass whom `auth` does not know.
///
/// # Errors
///
/// When it cannot listen, the API keys cannot be read, or serving fails.
pub async fn serve(config: &ServerConfig, auth: &AuthConfig, server: impl Serve) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::refused(format!("serving failed: {error}"));
    if config.stdio {
        return stdio::serve(server).await.map_err(failed);
    }
    let hosts = config.allowed_hosts.iter().cloned();
    let service = hosts.fold(HttpService::new(server), HttpService::allow_host);
    let origins = config.allowed_origins.iter().cloned();
    let service = origins.fold(service, HttpService::allow_origin);
    let http = HttpServer::from(service).path(config.path.as_str());
    let served = match auth.layer()? {
        None => http.serve(config.listen).await,
        Some(layer) => {
            let origins = config.allowed_origins.iter().map(ToString::to_string);
            let layer = origins.fold(layer, AuthLayer::readable_by);
            http.layer(layer).serve(config.listen).await
        }
    };
    served.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => {
            let (address, why) = (config.listen, error.kind());
            Failure::refused(format!("cannot listen on {address} ({why}): choose another with --listen"))
        }
        _ => failed(error),
    })
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
