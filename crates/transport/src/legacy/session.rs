//! What is kept of a client of an older revision from its handshake on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;
use towline_core::protocol::{LogLevel, SubscriptionFilter};
use towline_core::{Change, Changes, Context, Error, Reply, Request, SetLevelParams};

use super::peer::{Peer, message};

/// The most resources that one client watches.
const MAX_WATCHED: usize = 1_000;

/// What is kept of a client of an older revision: what it has been asked, which log messages it wants, and what it watches.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) peer: Arc<Peer>,
    state: Mutex<State>,
    watched_anew: Notify,
}

#[derive(Debug, Default)]
struct State {
    log_level: Option<LogLevel>,
    watched: BTreeSet<String>,
    changes: Option<Changes>,
    telling: Option<AbortHandle>,
}

impl Session {
    /// The least grave level of log messages that the client wants, if it wants any.
    pub(crate) fn log_level(&self) -> Option<LogLevel> {
        self.lock().log_level
    }

    /// Whether requests of that method change what is kept.
    pub(crate) fn concerns(method: &str) -> bool {
        matches!(method, "initialize" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe")
    }

    /// Keeps what a request says that the server has agreed to.
    ///
    /// # Errors
    ///
    /// When the client watches too much.
    pub(crate) fn note(&self, request: &Request, reply: &Reply) -> Result<(), Error> {
        let mut state = self.lock();
        match (request.method(), request.subject()) {
            ("initialize", _) => state.changes = reply.session().and_then(|offer| offer.changes.clone()),
            ("logging/setLevel", _) => state.log_level = Some(request.parse::<SetLevelParams>()?.level),
            ("resources/subscribe", Some(uri)) => {
                if state.watched.len() >= MAX_WATCHED {
                    let why = format!("a client watches at most {MAX_WATCHED} resources");
                    return Err(Error::invalid_params(why));
                }
                state.watched.insert(uri.to_owned());
                self.watched_anew.notify_one();
            }
            ("resources/unsubscribe", Some(uri)) => {
                state.watched.remove(uri);
                self.watched_anew.notify_one();
            }
            _ => {}
        }
        Ok(())
    }

    /// Begins to tell the client what changes, if anything does. It ends with the session.
    ///
    /// `output` writes whatever it is given, and fails when the client is gone.
    pub(crate) fn begin_to_tell(self: &Arc<Self>, context: Context, output: Sender<Bytes>) {
        let mut state = self.lock();
        let Some(changes) = state.changes.take() else { return };
        let session = Arc::downgrade(self);
        let tell = async move {
            let mut subscription = None;
            while let Some(session) = session.upgrade() {
                // The new one first, so that nothing is missed between them.
                match changes.subscribe(&session.filter(), &context) {
                    Ok(new) => subscription = Some(new),
                    Err(error) => tracing::warn!(%error, "a client is told of no changes"),
                }
                let Some(subscription) = &subscription else { return };
                let watched_anew = session.watched_anew.notified();
                tokio::pin!(watched_anew);
                loop {
                    tokio::select! {
                        () = &mut watched_anew => break,
                        change = subscription.next() => {
                            if output.send(tell(&change)).await.is_err() {
                                return;
                            }
                        }
                    }
                }
            }
        };
        state.telling = Some(tokio::spawn(tell).abort_handle());
    }

    fn filter(&self) -> SubscriptionFilter {
        SubscriptionFilter {
            tools_list_changed: true,
            prompts_list_changed: true,
            resources_list_changed: true,
            resource_subscriptions: self.lock().watched.iter().cloned().collect(),
            ..SubscriptionFilter::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what the session does by itself.
    pub(crate) fn end(&self) {
        if let Some(telling) = self.lock().telling.take() {
            telling.abort();
        }
    }
}

/// A change as older revisions say it.
fn tell(change: &Change) -> Bytes {
    #[derive(Serialize)]
    struct Updated<'a> {
        uri: &'a str,
    }
    match change {
        Change::Tools => message(None, "notifications/tools/list_changed", None::<&Value>),
        Change::Prompts => message(None, "notifications/prompts/list_changed", None::<&Value>),
        Change::Resources => message(None, "notifications/resources/list_changed", None::<&Value>),
        Change::Resource(uri) => message(None, "notifications/resources/updated", Some(&Updated { uri })),
        Change::Task(_) => unreachable!("sessions watch no tasks"),
    }
}
