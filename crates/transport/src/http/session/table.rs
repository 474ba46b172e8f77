//! The sessions by their ids.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use tokio::time::sleep;
use towline_core::Principal;

use super::{Session, SessionLimits, lock};
use crate::legacy::{Handshake, Session as Kept};

/// The sessions of one server. A clone is a handle to the same.
#[derive(Clone)]
pub(in crate::http) struct Sessions(Arc<Inner>);

struct Inner {
    limits: SessionLimits,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    sessions: HashMap<Box<str>, Arc<Session>>,
    /// Whether a task looks for sessions to end.
    is_swept: bool,
}

impl Sessions {
    pub(in crate::http) fn new(limits: SessionLimits) -> Self {
        Self(Arc::new(Inner { limits, table: Mutex::default() }))
    }

    /// Whether any may be made.
    pub(in crate::http) fn are_kept(&self) -> bool {
        self.0.limits.max > 0
    }

    /// Begins a session.
    pub(in crate::http) fn begin(
        &self,
        owner: Option<Principal>,
        handshake: Handshake,
        kept: Arc<Kept>,
    ) -> Arc<Session> {
        let session = Arc::new(Session::new(random_id(), owner, handshake, kept));
        let mut table = lock(&self.0.table);
        if table.sessions.len() >= self.0.limits.max {
            let longest = table.sessions.values().max_by_key(|session| session.idle()).cloned();
            if let Some(longest) = longest {
                table.sessions.remove(&longest.id);
                longest.end();
            }
        }
        table.sessions.insert(session.id.clone(), Arc::clone(&session));
        if !std::mem::replace(&mut table.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.0), self.0.limits.idle));
        }
        session
    }

    /// The session of that id, if it is of that caller.
    pub(in crate::http) fn find(&self, id: &str, caller: Option<&Principal>) -> Option<Arc<Session>> {
        let table = lock(&self.0.table);
        let session = table.sessions.get(id)?;
        let is_live = session.belongs_to(caller) && session.idle() < self.0.limits.idle;
        is_live.then(|| Arc::clone(session))
    }

    /// Ends a session.
    pub(in crate::http) fn end(&self, session: &Session) {
        lock(&self.0.table).sessions.remove(&session.id);
        session.end();
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.0.table).sessions.len()
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

/// Ends sessions that are not used any more, as long as there are any.
async fn sweep(sessions: Weak<Inner>, idle: Duration) {
    let pause = (idle / 4).clamp(Duration::from_millis(10), Duration::from_secs(60));
    loop {
        sleep(pause).await;
        let Some(sessions) = sessions.upgrade() else { return };
        let mut table = lock(&sessions.table);
        table.sessions.retain(|_, session| {
            let is_used = session.idle() < idle;
            if !is_used {
                session.end();
            }
            is_used
        });
        if table.sessions.is_empty() {
            table.sessions.shrink_to_fit();
            table.is_swept = false;
            return;
        }
    }
}

/// 128 random bits, in characters that the header may have.
fn random_id() -> Box<str> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    BASE64.encode(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(sessions: &Sessions, owner: Option<&str>) -> Arc<Session> {
        sessions.begin(owner.map(Principal::new), Handshake::default(), Arc::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_of_its_owner_and_ends_when_it_is_not_used() {
        let minute = Duration::from_secs(60);
        let sessions = Sessions::new(SessionLimits::new().idle(minute));
        let (alice, bob) = (Principal::new("alice"), Principal::new("bob"));
        let session = begin(&sessions, Some("alice"));
        assert!(sessions.find(session.id(), Some(&alice)).is_some());
        assert!(sessions.find(session.id(), Some(&bob)).is_none());
        assert!(sessions.find(session.id(), None).is_none());
        let open = session.open();
        sleep(2 * minute).await;
        assert!(sessions.find(session.id(), Some(&alice)).is_some(), "a stream is open");
        drop(open);
        sleep(minute / 2).await;
        assert!(sessions.find(session.id(), Some(&alice)).is_some());
        sleep(minute).await;
        assert!(sessions.find(session.id(), Some(&alice)).is_none());
        assert_eq!(sessions.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_bound_the_one_that_is_idle_longest_ends() {
        let sessions = Sessions::new(SessionLimits::new().max(2));
        let first = begin(&sessions, None);
        sleep(Duration::from_secs(1)).await;
        let second = begin(&sessions, None);
        let third = begin(&sessions, None);
        let found = [&first, &second, &third].map(|session| sessions.find(session.id(), None).is_some());
        assert_eq!(found, [false, true, true]);
    }
}
