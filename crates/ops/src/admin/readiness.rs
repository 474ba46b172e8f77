//! Whether requests may be sent here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use towline_core::health::{Health, HealthCheck};

/// Checks are asked again after this time: probes and pages come as often as they like.
const FRESH: Duration = Duration::from_secs(2);
/// A check that takes longer counts as down.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the server is going down. A clone is a handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Drain(Arc<AtomicBool>);

impl Drain {
    /// A server that is not.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that it is: it is no longer ready.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What is required, and how it was when it was last asked.
pub(super) struct Readiness {
    checks: Vec<Arc<dyn HealthCheck>>,
    drain: Drain,
    last: Mutex<Option<(Instant, Arc<[Check]>)>>,
}

/// How one thing is that the server depends on.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) state: &'static str,
    pub(super) message: String,
}

impl Readiness {
    pub(super) fn new(checks: Vec<Arc<dyn HealthCheck>>, drain: Drain) -> Self {
        Self { checks, drain, last: Mutex::default() }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.drain.has_begun()
    }

    /// How everything is. Those who ask at the same time wait for one answer.
    pub(super) async fn checks(&self) -> Arc<[Check]> {
        let mut last = self.last.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < FRESH
        {
            return Arc::clone(checks);
        }
        let checks: Arc<[Check]> = join_all(self.checks.iter().map(|check| ask(&**check))).await.into();
        *last = Some((Instant::now(), Arc::clone(&checks)));
        checks
    }

    /// Whether requests may be sent here, as it is when the checks have answered: they may take until the server goes down.
    pub(super) async fn is_ready(&self) -> bool {
        !self.is_draining()
            && self.checks().await.iter().all(|check| check.state != "down")
            && !self.is_draining()
    }
}

async fn ask(check: &dyn HealthCheck) -> Check {
    let health = timeout(PATIENCE, check.check()).await;
    let health = health.unwrap_or_else(|_| Health::Down("it does not answer".into()));
    let (state, message) = match health {
        Health::Up => ("up", String::new()),
        Health::Degraded(message) => ("degraded", message),
        Health::Down(message) => ("down", message),
    };
    Check { name: check.name().to_owned(), state, message }
}
