//! Streamable HTTP: one POST per message, answered with one JSON object or a stream of events.
//!
//! Source: basic/transports/streamable-http.
//!
//! [`serve`] and [`HttpServer`] are a whole server on a socket; [`HttpService`] mounts into another one.

mod allow;
mod batch;
mod body;
mod connection;
mod event;
mod future;
mod head;
#[cfg(feature = "http-sse")]
mod http_sse;
mod in_flight;
mod layered;
mod message;
mod refusal;
mod respond;
mod server;
mod service;
mod session;
mod sse;
mod watch;

use std::io;

pub use allow::{Host, InvalidName, Origin};
pub use future::ResponseFuture;
pub use layered::{Answers, LayeredHttpServer};
pub use respond::ResponseBody;
pub use server::HttpServer;
pub use service::HttpService;
pub use session::SessionLimits;
use tokio::net::ToSocketAddrs;
use towline_core::Serve;

/// Serves at that address, path `/mcp`, with the defaults of [`HttpServer`], until SIGTERM or SIGINT.
///
/// # Errors
///
/// When the address cannot be listened at.
///
/// # Panics
///
/// Panics outside of a tokio runtime.
pub async fn serve<S: Serve>(server: S, address: impl ToSocketAddrs) -> io::Result<()> {
    HttpServer::new(server).serve(address).await
}
