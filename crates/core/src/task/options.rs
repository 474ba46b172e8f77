//! How a tool runs as a task.

use std::time::Duration;

/// How a tool runs as a task.
#[derive(Clone, Debug)]
pub struct TaskOptions {
    pub(super) is_required: bool,
    pub(super) ttl: Option<Duration>,
    pub(super) poll_interval: Duration,
}

impl Default for TaskOptions {
    fn default() -> Self {
        let (hour, second) = (Duration::from_secs(3600), Duration::from_secs(1));
        Self { is_required: false, ttl: Some(hour), poll_interval: second }
    }
}

impl TaskOptions {
    /// The defaults: where the client knows tasks, for an hour.
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses clients that know no tasks, instead of letting them wait for the answer.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// Keeps a task for that long from its beginning, and ends it if it is not done then; `None`: for ever. Default: one hour.
    #[must_use]
    pub fn ttl(mut self, ttl: Option<Duration>) -> Self {
        self.ttl = ttl;
        self
    }

    /// Asks clients to let that much time pass between looks. Default: one second.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }
}
