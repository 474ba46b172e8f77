//! Counts requests, so that no window ever sees too many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::RateLimitConfig;

/// No answer holds an API back for longer.
const MOST_HELD: Duration = Duration::from_secs(300);

/// Lets at most so many requests pass in any window, wherever it begins, as the API itself counts them.
///
/// A request arrives at some time between its permit and its answer. It counts from the first until a window after
/// the second, so that two requests that are `requests` apart are a window apart at the API too, whatever the
/// connection did to them. Memory grows with `requests`, not with time.
#[derive(Clone, Debug)]
pub(crate) struct Limiter {
    limit: Option<RateLimitConfig>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Requests without an answer.
    under_way: u32,
    /// When the others ended, the oldest first.
    ended: VecDeque<Instant>,
    /// The API asked for silence until then.
    held: Option<Instant>,
}

impl Limiter {
    pub(crate) fn new(limit: Option<RateLimitConfig>) -> Self {
        Self { limit, state: Arc::default() }
    }

    /// Takes a permit, or says how long until there may be one.
    pub(crate) fn acquire(&self) -> Result<Permit, Duration> {
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(held) = state.held {
            if held > now {
                return Err(held - now);
            }
            state.held = None;
        }
        let Some(limit) = self.limit else { return Ok(Permit(None)) };
        while state.ended.front().is_some_and(|ended| now.duration_since(*ended) >= limit.window) {
            state.ended.pop_front();
        }
        let counted = state.under_way as usize + state.ended.len();
        if counted >= limit.requests.get() as usize {
            let oldest = state.ended.front();
            return Err(oldest.map_or(limit.window, |ended| limit.window - now.duration_since(*ended)));
        }
        state.under_way += 1;
        Ok(Permit(Some(self.clone())))
    }

    /// Lets nothing pass for a while, as the API asks.
    pub(crate) fn hold(&self, time: Duration) {
        let until = Instant::now() + time.min(MOST_HELD);
        let mut state = self.lock();
        state.held = Some(state.held.map_or(until, |held| held.max(until)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that may be sent. Drop it when the answer has begun, or when there will be none.
#[derive(Debug)]
pub(crate) struct Permit(Option<Limiter>);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(limiter) = &self.0 {
            let mut state = limiter.lock();
            state.under_way -= 1;
            state.ended.push_back(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tokio::time::{advance, sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limiter(requests: u32) -> Limiter {
        Limiter::new(NonZeroU32::new(requests).map(|requests| RateLimitConfig::new(requests, SECOND)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_says_when_there_is_room() {
        let limiter = limiter(2);
        drop(limiter.acquire().unwrap());
        advance(SECOND / 4).await;
        drop(limiter.acquire().unwrap());
        assert_eq!(limiter.acquire().unwrap_err(), SECOND * 3 / 4);
        advance(SECOND * 3 / 4).await;
        drop(limiter.acquire().unwrap());
        assert_eq!(limiter.acquire().unwrap_err(), SECOND / 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_counts_until_a_window_after_its_answer() {
        let limiter = limiter(1);
        let slow = limiter.acquire().unwrap();
        advance(SECOND * 3).await;
        assert_eq!(limiter.acquire().unwrap_err(), SECOND);
        drop(slow);
        advance(SECOND - Duration::from_millis(1)).await;
        assert_eq!(limiter.acquire().unwrap_err(), Duration::from_millis(1));
        advance(Duration::from_millis(1)).await;
        limiter.acquire().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_ever_sees_too_many() {
        for requests in [1, 3, 7] {
            let limiter = limiter(requests);
            let mut arrived = Vec::new();
            for _ in 0..2000 {
                if let Ok(permit) = limiter.acquire() {
                    // The API sees it at some time before it has answered.
                    sleep(Duration::from_millis(scattered(arrived.len()) % 40)).await;
                    arrived.push(Instant::now());
                    sleep(Duration::from_millis(scattered(arrived.len() * 3) % 30)).await;
                    drop(permit);
                }
                advance(Duration::from_millis(scattered(arrived.len() * 7) % 90)).await;
            }
            assert!(arrived.len() > requests as usize * 5);
            for window in arrived.windows(requests as usize + 1) {
                assert!(window[requests as usize] - window[0] >= SECOND, "{requests}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_asks_for_silence_gets_it() {
        let limiter = Limiter::new(None);
        limiter.hold(SECOND);
        limiter.hold(SECOND / 2);
        assert_eq!(limiter.acquire().unwrap_err(), SECOND);
        advance(SECOND).await;
        limiter.acquire().unwrap();
        limiter.hold(SECOND * 100_000);
        assert_eq!(limiter.acquire().unwrap_err(), MOST_HELD);
    }

    /// Numbers without a pattern, the same each time.
    fn scattered(seed: usize) -> u64 {
        (seed as u64).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33
    }
}
