//! Clients that ask, wait for the answer, and ask again.

mod http;
mod stdio;

use std::time::Duration;

pub use http::HttpLoad;
pub use stdio::StdioLoad;

/// How long one batch may take before the benchmark gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a batch of requests took.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// The time of each request.
    pub latencies: Vec<Duration>,
}
