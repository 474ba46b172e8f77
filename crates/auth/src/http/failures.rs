//! Counts failures per client, within bounds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// In which failures are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Clients that are counted at most in a window. One more is not counted: forgetting others would let who has many addresses
/// wash off the count of one.
const MAX_CLIENTS: usize = 10_000;

/// How often each client has shown something bad in this minute.
#[derive(Clone, Debug)]
pub(super) struct Failures {
    max: u32,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug)]
struct Counts {
    since: Instant,
    by_client: HashMap<IpAddr, u32>,
}

impl Failures {
    pub(super) fn new(max: u32) -> Self {
        Self {
            max,
            counts: Arc::new(Mutex::new(Counts { since: Instant::now(), by_client: HashMap::new() })),
        }
    }

    /// Whether the client may try. If not, how long until it may.
    pub(super) fn check(&self, client: IpAddr) -> Result<(), Duration> {
        let counts = self.lock();
        if counts.by_client.get(&network(client)).is_none_or(|count| *count < self.max) {
            return Ok(());
        }
        Err(WINDOW.saturating_sub(counts.since.elapsed()).max(Duration::from_secs(1)))
    }

    pub(super) fn count(&self, client: IpAddr) {
        let mut counts = self.lock();
        let client = network(client);
        if counts.by_client.len() < MAX_CLIENTS || counts.by_client.contains_key(&client) {
            let count = counts.by_client.entry(client).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// The counts of this window.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.since.elapsed() >= WINDOW {
            *counts = Counts { since: Instant::now(), by_client: HashMap::new() };
        }
        counts
    }
}

/// The network that one client has for itself: of IPv6 the first half of the address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_fails_too_often_waits_and_others_do_not() {
        let failures = Failures::new(2);
        let [one, neighbour, other] = ["2001:db8::1", "2001:db8::2", "10.0.0.1"].map(|a| a.parse().unwrap());
        failures.count(one);
        assert_eq!(failures.check(one), Ok(()));
        failures.count(neighbour);
        assert_eq!(failures.check(one), Err(WINDOW));
        assert_eq!(failures.check(other), Ok(()));
        tokio::time::advance(WINDOW).await;
        assert_eq!(failures.check(one), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_count_of_clients_is_bounded() {
        let failures = Failures::new(1);
        for n in 0..20_000_u32 {
            failures.count(IpAddr::V4(n.into()));
        }
        assert_eq!(failures.lock().by_client.len(), MAX_CLIENTS);
        assert!(failures.check(IpAddr::V4(1.into())).is_err());
    }
}
