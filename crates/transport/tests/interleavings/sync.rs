//! What the sources take for their own `crate::sync`.

pub(crate) use std::sync::PoisonError;

pub(crate) use shuttle::sync::atomic;
use shuttle::sync::atomic::Ordering::SeqCst;
pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::futures::Notified;

/// tokio's, with a place to switch threads before each step: after an unlocked mutex shuttle has none.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    inner: tokio::sync::Notify,
    step: atomic::AtomicBool,
}

#[allow(dead_code, reason = "each source uses a part")]
impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        self.step.load(SeqCst);
        self.inner.notified()
    }

    pub(crate) fn notify_one(&self) {
        self.step.load(SeqCst);
        self.inner.notify_one();
    }

    pub(crate) fn notify_waiters(&self) {
        self.step.load(SeqCst);
        self.inner.notify_waiters();
    }
}
