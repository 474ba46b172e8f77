use std::io::{ErrorKind, Write};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::sleep;
use towline_core::Serve;
use towline_transport::http::{HttpServer, HttpService};
use towline_transport::{shutdown_signal, stdio};

use crate::entrance::Entrance;
use crate::reload::Running;
use crate::{Config, Current, Drain, Failure, Reload, ServerConfig};

/// Serves as the settings say, until the client or a signal ends it. Over HTTP it lets nobody pass whom `[auth]` does not
/// know.
///
/// At SIGTERM or SIGINT the server is no longer ready at once; after a delay it takes no connections any more, and what runs
/// has its time to end. A second signal ends the process where it stands. At SIGHUP the settings are read again, as
/// [`Reload`] says: calls that have begun end as they began, later ones find what is new.
///
/// # Errors
///
/// When it cannot listen, the API keys cannot be read, or serving fails.
pub async fn serve<P, S, L, B>(
    config: Config<P>,
    server: S,
    drain: &Drain,
    reload: Reload<L, B>,
) -> Result<(), Failure>
where
    P: Clone + Send + 'static,
    S: Serve,
    L: Fn() -> Result<Config<P>, Failure> + Send + 'static,
    B: Fn(&Config<P>) -> Result<S, Failure> + Send + 'static,
{
    let settings = config.server.clone();
    let server = Current::new(server);
    if settings.stdio {
        let _reloads = reload.start(Running::new(config, server.clone(), None))?;
        return stdio::serve(server).await.map_err(failed);
    }
    let entrance = Entrance::of(&config.auth, &settings)?;
    let _reloads = reload.start(Running::new(config, server.clone(), entrance.clone()))?;
    let hosts = settings.allowed_hosts.iter().cloned();
    let service = HttpService::new(server).sessions(settings.sessions.limits());
    let service = hosts.fold(service, HttpService::allow_host);
    let origins = settings.allowed_origins.iter().cloned();
    let service = origins.fold(service, HttpService::allow_origin);
    let grace = Duration::from_millis(settings.shutdown_grace_ms);
    let http = HttpServer::from(service).path(settings.path.as_str()).shutdown_grace(grace);
    let listener = listen(&settings).await?;
    let end = end(drain, Duration::from_millis(settings.shutdown_delay_ms));
    let served = match entrance {
        None => http.serve_until(listener, end).await,
        Some(entrance) => http.layer(entrance).serve_until(listener, end).await,
    };
    served.map_err(failed)
}

async fn listen(config: &ServerConfig) -> Result<TcpListener, Failure> {
    TcpListener::bind(config.listen).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => {
            let (address, why) = (config.listen, error.kind());
            Failure::refused(format!("cannot listen on {address} ({why}): choose another with --listen"))
        }
        _ => failed(error),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is what maps an error")]
fn failed(error: std::io::Error) -> Failure {
    Failure::refused(format!("serving failed: {error}"))
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
