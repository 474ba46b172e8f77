//! States that have been used, where each may be used once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};

/// Remembers which states have been used. Where a server runs on several replicas, they need a common one.
#[async_trait]
pub trait UsedStates: Send + Sync + 'static {
    /// Notes that a state is used; false if it has been used before. It may be forgotten after `expires_in`.
    ///
    /// # Errors
    ///
    /// When that cannot be told. The request is then refused.
    async fn claim(&self, id: [u8; 16], expires_in: Duration) -> Result<bool, Error>;
}

/// Remembers used states in this process: a hundred thousand at most, beyond which requests with such states are refused
/// until some expire.
#[derive(Debug, Default)]
pub struct UsedStatesInMemory(Mutex<HashMap<[u8; 16], Instant>>);

impl UsedStatesInMemory {
    const MAX: usize = 100_000;
}

#[async_trait]
impl UsedStates for UsedStatesInMemory {
    async fn claim(&self, id: [u8; 16], expires_in: Duration) -> Result<bool, Error> {
        let now = Instant::now();
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= Self::MAX {
            used.retain(|_, expires| *expires > now);
            if used.len() >= Self::MAX {
                return Err(Error::new(
                    ErrorKind::Overloaded,
                    "too many requests wait for input; try again later",
                ));
            }
        }
        Ok(used.insert(id, now + expires_in).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_is_used_once() {
        let used = UsedStatesInMemory::default();
        let hour = Duration::from_secs(3600);
        assert!(used.claim([1; 16], hour).await.unwrap());
        assert!(!used.claim([1; 16], hour).await.unwrap());
        assert!(used.claim([2; 16], hour).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_given_back() {
        let used = UsedStatesInMemory::default();
        let id = |n: usize| (n as u128).to_be_bytes();
        for n in 0..UsedStatesInMemory::MAX {
            used.claim(id(n), Duration::from_secs(60)).await.unwrap();
        }
        assert!(used.claim([255; 16], Duration::from_secs(60)).await.is_err());
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(used.claim([255; 16], Duration::from_secs(60)).await.unwrap());
        assert_eq!(used.0.lock().unwrap().len(), 1);
    }
}
