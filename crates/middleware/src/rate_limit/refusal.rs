//! What a caller reads who has called too often.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use towline_core::{Error, ErrorKind, Quota};
use tracing::debug;

use super::limiter::{Limits, Policy};

/// Which policy does not allow a call now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    policy: usize,
    cost: NonZeroU32,
    left: u32,
    /// How long until it would; `None` if it never would.
    wait: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(policy: usize, cost: NonZeroU32, left: u32, wait: Option<Duration>) -> Self {
        Self { policy, cost, left, wait }
    }

    /// The one that takes longer: only after that wait would all policies allow the call.
    pub(super) fn longer(first: Option<Self>, second: Self) -> Option<Self> {
        first.filter(|first| first.wait() >= second.wait()).or(Some(second))
    }

    pub(super) fn is_within(&self, patience: Duration) -> bool {
        self.wait.is_some_and(|wait| wait <= patience)
    }

    pub(super) fn wait(&self) -> Duration {
        self.wait.unwrap_or_default()
    }

    pub(super) fn into_error(self, limits: &Limits) -> Error {
        let policy = &limits.policies[self.policy];
        policy.counts.count_refused();
        let Policy { name, limit, window, .. } = policy;
        let burst = policy.allowance.burst();
        let Some(wait) = self.wait else {
            debug!(policy = &**name, cost = self.cost, "refused a call that costs more than is ever allowed");
            return Error::invalid_params(format!(
                "This call counts as {}, and the limit \"{name}\" never allows more than {burst} at once. Ask for less \
                 in one call.",
                self.cost
            ));
        };
        debug!(
            policy = &**name,
            wait_ms = wait.as_millis() as u64,
            "refused a call: the allowance is used up"
        );
        let mut message =
            format!("Too many calls: the limit \"{name}\" is {} per {}", calls(*limit), time(*window));
        if burst < *limit {
            message.push_str(&format!(", at most {burst} at once"));
        }
        message.push('.');
        if self.cost.get() > 1 {
            message.push_str(&format!(" This call counts as {}.", self.cost));
        }
        Error::new(ErrorKind::RateLimited, message).with_retry_after(wait).with_quota(Quota {
            policy: Arc::clone(name),
            limit: *limit,
            window: *window,
            remaining: self.left,
            reset: wait,
        })
    }
}

fn calls(number: u32) -> String {
    if number == 1 { "1 call".into() } else { format!("{number} calls") }
}

fn time(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        return format!("{} s", duration.as_secs());
    }
    format!("{} ms", duration.as_millis())
}
