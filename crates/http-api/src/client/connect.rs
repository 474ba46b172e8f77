//! Opens connections, to addresses that were judged only.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;
use towline_core::BoxError;

use crate::egress::AddressRules;
use crate::error::ApiError;

/// Addresses of one name that are tried at most.
const MOST_TRIED: usize = 6;

/// What a name resolves to.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of a name. The guard judges what it finds: an implementation need not.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of `host`, in the order in which they are tried.
    fn resolve(&self, host: &str) -> Resolving;
}

/// Asks the system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> Resolving {
        let host = host.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Opens TCP connections. Every new one passes here, also those to literal addresses, so that no request gets around
/// the rules: what is judged is what is connected to, and nothing is looked up twice.
#[derive(Clone)]
pub(crate) struct Dialer {
    resolver: Arc<dyn Resolve>,
    rules: Arc<AddressRules>,
}

impl Dialer {
    pub(crate) fn new(resolver: Arc<dyn Resolve>, rules: AddressRules) -> Self {
        Self { resolver, rules: Arc::new(rules) }
    }

    async fn dial(self, uri: Uri) -> Result<TokioIo<TcpStream>, BoxError> {
        let port = port_of(&uri);
        let addresses = self.addresses(&uri).await?;
        let mut last = ApiError::Unreachable;
        for address in addresses {
            match TcpStream::connect(SocketAddr::new(address, port)).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(TokioIo::new(stream));
                }
                Err(error) => {
                    tracing::debug!(%error, "no connection to one of the API's addresses");
                    last = ApiError::Unreachable;
                }
            }
        }
        Err(last.into())
    }

    /// The addresses to try. One that is refused refuses the name: who owns it must not choose which is taken.
    async fn addresses(&self, uri: &Uri) -> Result<Vec<IpAddr>, ApiError> {
        let mut addresses = match literal(uri) {
            Some(address) => vec![address],
            None => {
                let host = uri.host().unwrap_or_default();
                self.resolver.resolve(host).await.map_err(|_| ApiError::NameNotFound)?
            }
        };
        for address in &addresses {
            self.rules.check(*address).map_err(|kind| ApiError::Address { kind })?;
        }
        addresses.truncate(MOST_TRIED);
        if addresses.is_empty() { Err(ApiError::NameNotFound) } else { Ok(addresses) }
    }
}

fn literal(uri: &Uri) -> Option<IpAddr> {
    let host = uri.host()?;
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

fn port_of(uri: &Uri) -> u16 {
    let own = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    uri.port_u16().unwrap_or(own)
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Dialing;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}

type Dialing = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, BoxError>> + Send>>;

/// Opens TCP connections, directly or through a proxy.
#[derive(Clone)]
pub(crate) enum Route {
    Direct(Dialer),
    /// The proxy resolves names, so that only literal addresses can be judged here.
    Proxied {
        tunnel: Tunnel<Dialer>,
        rules: Arc<AddressRules>,
    },
}

impl Service<Uri> for Route {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Dialing;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Self::Direct(dialer) => dialer.call(uri),
            Self::Proxied { tunnel, rules } => {
                if let Some(Err(kind)) = literal(&uri).map(|address| rules.check(address)) {
                    return Box::pin(std::future::ready(Err(ApiError::Address { kind }.into())));
                }
                // The tunnel would take 443 for granted.
                let with_port = Uri::builder()
                    .scheme("http")
                    .authority(format!("{}:{}", uri.host().unwrap_or_default(), port_of(&uri)))
                    .path_and_query("/")
                    .build();
                let mut tunnel = tunnel.clone();
                Box::pin(async move {
                    tunnel.call(with_port?).await.map_err(|error| {
                        tracing::debug!(%error, "no connection through the proxy");
                        ApiError::Proxy.into()
                    })
                })
            }
        }
    }
}

/// Opens connections, with TLS where the scheme says so, within a time for all of it. The client clones it for each request,
/// most of which need no connection.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) https: Arc<HttpsConnector<Route>>,
    pub(crate) within: Duration,
}

type Connected = <HttpsConnector<Route> as Service<Uri>>::Response;

impl Service<Uri> for Connector {
    type Response = Connected;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Connected, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // As the route is that it goes to.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let within = self.within;
        let connecting = HttpsConnector::clone(&self.https).call(uri);
        Box::pin(async move {
            match tokio::time::timeout(within, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(ApiError::ConnectTimeout { within }.into()),
            }
        })
    }
}
