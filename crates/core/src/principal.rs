//! Who sends a request, and from where.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Who a request is made for. A layer that authenticates attaches it to the request's extensions.
///
/// Limits, caches and audits tell callers apart by it. The id is never shown to other callers.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    id: Arc<str>,
}

impl Principal {
    /// A caller by what is unique of it: the id of an API key, or issuer and subject of a token. Never the key or
    /// the token itself: the id stands in logs.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self { id: id.into() }
    }

    /// What is unique of it.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({:?})", self.id)
    }
}

/// From where a client is connected, as the listening socket sees it: behind a proxy, the proxy's address.
///
/// A transport that listens at a socket attaches it to the extensions of each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddr(pub SocketAddr);

/// What carries a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Carrier {
    /// Nothing: the server is called by code of its own process.
    #[default]
    InProcess,
    /// Standard input and output, or another pair of byte streams.
    Stream,
    /// HTTP.
    Http,
}
