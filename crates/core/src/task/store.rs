//! Where tasks are kept.

use std::time::Duration;

use async_trait::async_trait;

use super::now;
use super::record::TaskRecord;
use crate::error::Error;

/// Where tasks are kept.
#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// Keeps a new task. When this returns, [`get`](Self::get) finds it, on whatever replica.
    ///
    /// # Errors
    ///
    /// When it cannot be kept.
    async fn create(&self, task: &TaskRecord) -> Result<(), Error>;

    /// The task of that id. One that [has expired](TaskRecord::has_expired) may be gone.
    ///
    /// # Errors
    ///
    /// When that cannot be told.
    async fn get(&self, id: &str) -> Result<Option<TaskRecord>, Error>;

    /// Replaces a task by what it is now, if its `revision` is still `expected`; false if it is not, or the task is gone.
    ///
    /// # Errors
    ///
    /// When it cannot be kept.
    async fn replace(&self, task: &TaskRecord, expected: u64) -> Result<bool, Error>;

    /// If other processes see the tasks too: for how long one that runs a task is believed to live without being heard of.
    /// When it is not, the task fails. Default: no other process sees them.
    fn lease(&self) -> Option<Duration> {
        None
    }
}

impl dyn TaskStore {
    /// Until when a process that is alive now is believed to live, in milliseconds since 1970.
    pub(super) fn believed_until(&self) -> Option<u64> {
        let millis = u64::try_from(self.lease()?.as_millis()).unwrap_or(u64::MAX);
        Some(now().saturating_add(millis))
    }
}
