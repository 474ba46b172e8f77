//! The handle of a running server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::received::{Origin, Received, is_below};
use crate::rule::Rule;
use crate::server::{Listener, Phase};
use crate::state::{Gate, State};
use crate::tls;

/// A free port on loopback.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What to serve, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to serve HTTP: a loopback address; port 0 is a free one. Default: 127.0.0.1:0.
    pub listen: SocketAddr,
    /// Where to serve HTTPS as well: HTTP/2 and HTTP/1.1, with a certificate of an authority of its own. A loopback
    /// address. Default: nowhere.
    pub https: Option<SocketAddr>,
    /// How long a token of `/oauth/token` is good. Default: 1 minute.
    pub token_lifetime: Duration,
    /// How long answers may be kept in caches, in whole seconds. Default: 1 minute.
    pub max_age: Duration,
    /// Requests remembered at most; the oldest is forgotten first. Default: 10 000.
    pub log: usize,
}

impl Default for Options {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { listen: ANY, https: None, token_lifetime: minute, max_age: minute, log: 10_000 }
    }
}

impl Options {
    /// The defaults, with HTTPS on a free port.
    #[must_use]
    pub fn with_https() -> Self {
        Self { https: Some(ANY), ..Self::default() }
    }
}

/// A running server of sample APIs. Dropping it ends the listeners and all connections.
pub struct Upstream {
    state: Arc<State>,
    http: SocketAddr,
    https: Option<SocketAddr>,
    authority: Option<String>,
    /// Of each of the listeners that can refuse connections.
    phases: Vec<watch::Receiver<Phase>>,
    /// Dropped with the handle, which aborts them.
    _tasks: JoinSet<()>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("http", &self.http)
            .field("https", &self.https)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    /// Serves until the handle is dropped.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if an address is not loopback; what the system says if it cannot be listened on.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with I/O and time.
    pub async fn start(options: Options) -> io::Result<Self> {
        let plain = bind(options.listen).await?;
        let encrypted = match options.https {
            Some(address) => Some((bind(address).await?, tls::acceptor()?)),
            None => None,
        };
        let other = bind(SocketAddr::new(options.listen.ip(), 0)).await?;

        let http = plain.local_addr()?;
        let https = encrypted.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?;
        let mut authority = None;
        let mut listeners = vec![Listener::new(Origin::Http, plain, None)];
        if let Some((listener, (pem, acceptor))) = encrypted {
            authority = Some(pem);
            listeners.push(Listener::new(Origin::Https, listener, Some(acceptor)));
        }
        let state = Arc::new(State::new(options, other.local_addr()?));
        let phases = listeners.iter().map(Listener::phase).collect();
        listeners.push(Listener::new(Origin::Other, other, None));
        let mut tasks = JoinSet::new();
        for listener in listeners {
            tasks.spawn(listener.run(Arc::clone(&state)));
        }
        Ok(Self { state, http, https, authority, phases, _tasks: tasks })
    }

    /// The address of the plain listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.http
    }

    /// `http://`, address and port, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// `https://localhost:` and the port, if HTTPS is served.
    #[must_use]
    pub fn https_url(&self) -> Option<String> {
        self.https.map(|address| format!("https://localhost:{}", address.port()))
    }

    /// The certificate of the authority that HTTPS stands on, as PEM: a client that does not trust it must refuse.
    #[must_use]
    pub fn authority_pem(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Another origin with the same APIs, which meets no faults: where redirects to another origin lead.
    #[must_use]
    pub fn other_url(&self) -> String {
        format!("http://{}", self.state.other)
    }

    /// Makes something fail from now on. Of several rules that fit a request, the first takes it.
    ///
    /// # Panics
    ///
    /// Panics if a number or text of the rule is out of bounds, or if there are 100 rules already.
    pub fn fault(&self, rule: Rule) {
        if let Err(problem) = self.state.rules().add(rule) {
            panic!("{problem}");
        }
    }

    /// Lets nothing fail any more.
    pub fn clear_faults(&self) {
        self.state.rules().clear();
    }

    /// What arrived whole, the oldest first, at all origins. Requests to `/faults` and `/requests` are not in it.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.state.log().entries().cloned().collect()
    }

    /// How many requests below this path arrived, at all origins.
    #[must_use]
    pub fn count(&self, prefix: &str) -> usize {
        self.state.log().entries().filter(|received| is_below(&received.path, prefix)).count()
    }

    /// Forgets what arrived.
    pub fn clear_requests(&self) {
        self.state.log().clear();
    }

    /// The messages that were sent below `/slack`, the oldest first: `number`, `channel`, `text` and `by`.
    #[must_use]
    pub fn sent(&self) -> Vec<Value> {
        self.state.messages().clone()
    }

    /// Lets no token that was given so far be good any more.
    pub fn revoke_tokens(&self) {
        self.state.tokens().revoke();
    }

    /// Refuses connections until [`accept`](Self::accept): the ports are kept, but nothing listens there. Connections
    /// that are idle end, others after the answer under way.
    pub async fn refuse(&self) {
        self.turn(Gate::Closed(None), Phase::Closed).await;
    }

    /// Accepts connections again, at the same addresses.
    pub async fn accept(&self) {
        self.turn(Gate::Open, Phase::Open).await;
    }

    async fn turn(&self, gate: Gate, phase: Phase) {
        self.state.gate.send_replace(gate);
        for listener in &self.phases {
            // An error says that the listener is gone, and so is what to wait for.
            let _ = listener.clone().wait_for(|now| *now == phase).await;
        }
    }
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "samples are served on loopback addresses only",
        ));
    }
    TcpListener::bind(address).await
}
