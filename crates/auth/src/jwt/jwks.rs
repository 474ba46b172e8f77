//! The keys of an issuer, kept and renewed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use tokio::sync::watch;
use tokio::time::Instant;

use super::key::KeySet;
use crate::fetch::Fetcher;

/// Between two attempts to fetch keys, whoever sends which tokens.
const BETWEEN: Duration = Duration::from_secs(30);
/// Between two attempts for as long as there are no keys at all.
const BETWEEN_FIRST: Duration = Duration::from_secs(2);
/// How long keys are kept if the issuer does not say.
const USUAL_LIFE: Duration = Duration::from_secs(300);
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
/// How long at most, also while the issuer cannot be reached.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The keys at an address. They are fetched by a task of its own, never under a lock; requests whose keys are known do not
/// wait for it.
#[derive(Clone, Debug)]
pub(super) struct Jwks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    url: Uri,
    fetcher: Fetcher,
    kept: ArcSwapOption<Kept>,
    state: Mutex<State>,
    /// Counts attempts that have ended.
    ended: watch::Sender<u64>,
}

#[derive(Debug)]
struct Kept {
    keys: Arc<KeySet>,
    renew_at: Instant,
    dead_at: Instant,
}

#[derive(Debug, Default)]
struct State {
    is_fetching: bool,
    tried: Option<Instant>,
}

impl Jwks {
    pub(super) fn new(url: Uri) -> Self {
        Self(Arc::new(Inner {
            url,
            fetcher: Fetcher::new(),
            kept: ArcSwapOption::empty(),
            state: Mutex::default(),
            ended: watch::Sender::new(0),
        }))
    }

    /// The keys, which are fetched anew first if there are none, or none of that id, and the last attempt was some time ago.
    /// `None` if there are none.
    pub(super) async fn keys(&self, id: Option<&str>) -> Option<Arc<KeySet>> {
        let known = self.kept();
        let has = |keys: &KeySet| id.is_none_or(|id| keys.has(id));
        if let Some(kept) = known.as_ref().filter(|kept| has(&kept.keys)) {
            if kept.renew_at <= Instant::now() {
                self.begin();
            }
            return Some(Arc::clone(&kept.keys));
        }
        if let Some(mut ended) = self.begin() {
            let _ = ended.changed().await;
        }
        self.kept().map(|kept| Arc::clone(&kept.keys))
    }

    fn kept(&self) -> Option<Arc<Kept>> {
        self.0.kept.load_full().filter(|kept| kept.dead_at > Instant::now())
    }

    /// Begins to fetch, unless it was tried a moment ago. Gives what tells the end of an attempt that is under way.
    fn begin(&self) -> Option<watch::Receiver<u64>> {
        let between = if self.kept().is_some() { BETWEEN } else { BETWEEN_FIRST };
        let mut state = self.lock();
        // Subscribed before the lock is released, so that the end cannot be missed.
        let ended = self.0.ended.subscribe();
        if state.is_fetching {
            return Some(ended);
        }
        if state.tried.is_some_and(|tried| tried.elapsed() < between) {
            return None;
        }
        *state = State { is_fetching: true, tried: Some(Instant::now()) };
        drop(state);
        let jwks = self.clone();
        // A task, because the request that waits may go away, and others wait too.
        tokio::spawn(async move {
            let _attempt = Attempt(&jwks);
            jwks.fetch().await;
        });
        Some(ended)
    }

    async fn fetch(&self) {
        let request = Request::get(self.0.url.clone()).header("accept", "application/json");
        let Ok(request) = request.body(Full::<Bytes>::default()) else { return };
        let url = &self.0.url;
        let (body, max_age) = match self.0.fetcher.send(request).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%url, %error, "an issuer's keys cannot be fetched; known ones stay");
                return;
            }
        };
        match KeySet::parse(&body) {
            Ok(keys) => {
                let life = max_age.unwrap_or(USUAL_LIFE).clamp(SHORTEST_LIFE, LONGEST_LIFE);
                let now = Instant::now();
                let kept = Kept {
                    keys: keys.into(),
                    renew_at: now + life.mul_f64(0.8),
                    dead_at: now + LONGEST_LIFE,
                };
                self.0.kept.store(Some(Arc::new(kept)));
                tracing::debug!(%url, "fetched an issuer's keys");
            }
            Err(error) => tracing::warn!(%url, error, "an issuer's keys cannot be used; known ones stay"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt to fetch. Dropping it, however it ended, tells those who wait.
struct Attempt<'a>(&'a Jwks);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.lock().is_fetching = false;
        self.0.0.ended.send_modify(|count| *count += 1);
    }
}
