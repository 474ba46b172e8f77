//! What is kept of a client of an older revision from its handshake on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;
use towline_core::protocol::{LogLevel, SubscriptionFilter};
use towline_core::{Change, Changes, Context, Error, Reply, Request, SetLevelParams, Subscription};

use super::peer::{Peer, message};

/// The most resources that one client watches.
const MAX_WATCHED: usize = 1_000;

/// What is kept of a client of an older revision: what it has been asked, which log messages it wants, and what it watches.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) peer: Arc<Peer>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    log_level: Option<LogLevel>,
    watched: BTreeSet<String>,
    changes: Option<Changes>,
    telling: Option<Telling>,
}

/// A task that tells the client what changes.
#[derive(Debug)]
struct Telling {
    subscription: Arc<Subscription>,
    task: AbortHandle,
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.task.abort();
    }
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
            ("resources/subscribe", Some(uri)) => state.watch(uri)?,
            ("resources/unsubscribe", Some(uri)) => state.unwatch(uri),
            _ => {}
        }
        Ok(())
    }

    /// Begins to tell the client what changes, if anything does. It ends with the session.
    ///
    /// `output` writes whatever it is given, and fails when the client is gone.
    pub(crate) fn begin_to_tell(&self, context: &Context, output: Sender<Bytes>) {
        let mut state = self.lock();
        let Some(changes) = state.changes.take() else { return };
        let subscription = match changes.subscribe(&state.filter(), context) {
            Ok(subscription) => Arc::new(subscription),
            Err(error) => {
                tracing::warn!(%error, "a client is told of no changes");
                return;
            }
        };
        let own = Arc::clone(&subscription);
        let tell = async move { while output.send(tell(&own.next().await)).await.is_ok() {} };
        state.telling = Some(Telling { subscription, task: tokio::spawn(tell).abort_handle() });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what the session does by itself.
    pub(crate) fn end(&self) {
        self.lock().telling = None;
    }
}

impl State {
    /// Watches a resource from now on, before the client knows that it does.
    fn watch(&mut self, uri: &str) -> Result<(), Error> {
        if self.watched.len() >= MAX_WATCHED && !self.watched.contains(uri) {
            let why = format!("a client watches at most {MAX_WATCHED} resources");
            return Err(Error::invalid_params(why));
        }
        if let Some(telling) = &self.telling {
            telling.subscription.watch(uri)?;
        }
        self.watched.insert(uri.to_owned());
        Ok(())
    }

    fn unwatch(&mut self, uri: &str) {
        self.watched.remove(uri);
        if let Some(telling) = &self.telling {
            telling.subscription.unwatch(uri);
        }
    }

    fn filter(&self) -> SubscriptionFilter {
        SubscriptionFilter {
            tools_list_changed: true,
            prompts_list_changed: true,
            resources_list_changed: true,
            resource_subscriptions: self.watched.iter().cloned().collect(),
            ..SubscriptionFilter::default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_missed_while_the_client_begins_to_watch_more() {
        let (session, changes) = (Session::default(), Changes::default());
        session.lock().changes = Some(changes.clone());
        let (sender, mut told) = tokio::sync::mpsc::channel(1);
        session.begin_to_tell(&Context::default(), sender);
        tokio::task::yield_now().await;
        for round in 0..32 {
            // The client reads nothing yet, so the second waits to be written, and the rest to be taken.
            for change in [Change::Tools, Change::Prompts, Change::Resources] {
                changes.tell(&change);
                tokio::task::yield_now().await;
            }
            let uri = format!("note://{round}");
            session.lock().watch(&uri).unwrap();
            changes.tell(&Change::Resource(uri.as_str().into()));
            for part in ["tools", "prompts", "resources/list", &uri] {
                let message = tokio::time::timeout(std::time::Duration::from_secs(1), told.recv()).await;
                let message = message.unwrap_or_else(|_| panic!("{part} is missed, round {round}")).unwrap();
                assert!(std::str::from_utf8(&message).unwrap().contains(part), "{message:?}");
            }
        }
    }
}
