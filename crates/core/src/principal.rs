//! Who sends a request, and from where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use crate::extensions::Extensions;

/// Who a request is made for. A layer that authenticates attaches it to the request's extensions.
///
/// Limits, caches and audits tell callers apart by its id, which is never shown to other callers. What else is known of it, such
/// as its scopes, tells packs what the caller may see; two principals with one id are equal whatever that is.
#[derive(Clone)]
pub struct Principal {
    id: Arc<str>,
    about: Option<Arc<About>>,
}

/// What is known of a principal beyond its id.
#[derive(Clone, Default)]
struct About {
    issuer: Option<Box<str>>,
    subject: Option<Box<str>>,
    scopes: Arc<BTreeSet<Box<str>>>,
    claims: BTreeMap<Box<str>, Box<str>>,
}

impl Principal {
    /// A caller by what is unique of it: the id of an API key, or issuer and subject of a token. Never the key or
    /// the token itself: the id stands in logs.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self { id: id.into(), about: None }
    }

    /// Tells its name among those whom its issuer knows, and the issuer, if there is one.
    #[must_use]
    pub fn with_subject(self, subject: impl Into<Box<str>>, issuer: Option<&str>) -> Self {
        self.with(|about| (about.subject, about.issuer) = (Some(subject.into()), issuer.map(Box::from)))
    }

    /// Tells which scopes it was granted.
    #[must_use]
    pub fn with_scopes(self, scopes: Arc<BTreeSet<Box<str>>>) -> Self {
        self.with(|about| about.scopes = scopes)
    }

    /// Tells something else that its issuer says of it, such as its tenant.
    #[must_use]
    pub fn with_claim(self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> Self {
        self.with(|about| drop(about.claims.insert(name.into(), value.into())))
    }

    fn with(mut self, change: impl FnOnce(&mut About)) -> Self {
        change(Arc::make_mut(self.about.get_or_insert_default()));
        self
    }

    /// What is unique of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name among those whom its issuer knows; the id, if nothing else was told.
    pub fn subject(&self) -> &str {
        self.about.as_ref().and_then(|about| about.subject.as_deref()).unwrap_or(&self.id)
    }

    /// Who says who it is, if that is somebody else: the issuer of its token.
    pub fn issuer(&self) -> Option<&str> {
        self.about.as_ref()?.issuer.as_deref()
    }

    /// The scopes that it was granted, in order.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.about.iter().flat_map(|about| about.scopes.iter().map(|scope| &**scope))
    }

    /// Whether it was granted that scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.about.as_ref().is_some_and(|about| about.scopes.contains(scope))
    }

    /// What else its issuer says of it, by name, in order.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &str)> {
        self.about.iter().flat_map(|about| about.claims.iter().map(|(name, value)| (&**name, &**value)))
    }

    /// One of [`claims`](Self::claims).
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.about.as_ref()?.claims.get(name).map(|value| &**value)
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// The id alone: what else is known of somebody is nobody's business.
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

/// Until when it is known who a request is made for: when the token expires that says so.
///
/// A layer that authenticates attaches it to the extensions of each request. What would go on for as long as the client likes,
/// such as a subscription, ends then; what runs and comes to an end by itself is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownUntil(pub Instant);

impl KnownUntil {
    /// Waits until then, and for ever where nothing says when.
    pub async fn wait(extensions: &Extensions) {
        match extensions.get::<Self>() {
            Some(Self(end)) => sleep_until(*end).await,
            None => std::future::pending().await,
        }
    }
}

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
