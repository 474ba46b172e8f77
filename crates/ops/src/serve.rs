use std::io::{ErrorKind, Write};

use towline_core::Serve;
use towline_transport::http::{HttpServer, HttpService};
use towline_transport::stdio;

use crate::{Failure, ServerConfig};

/// Serves as the settings say, until the client or a signal ends it.
///
/// # Errors
///
/// When it cannot listen, or serving fails.
pub async fn serve(config: &ServerConfig, server: impl Serve) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::refused(format!("serving failed: {error}"));
    if config.stdio {
        return stdio::serve(server).await.map_err(failed);
    }
    let hosts = config.allowed_hosts.iter().cloned();
    let service = hosts.fold(HttpService::new(server), HttpService::allow_host);
    let origins = config.allowed_origins.iter().cloned();
    let service = origins.fold(service, HttpService::allow_origin);
    let serving = HttpServer::from(service).path(config.path.as_str()).serve(config.listen);
    serving.await.map_err(|error| match error.kind() {
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
