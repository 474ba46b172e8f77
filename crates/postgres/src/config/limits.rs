//! What one statement may cost.

use std::time::Duration;

/// What one statement may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Limits {
    /// Rows returned at most.
    pub max_rows: u32,
    /// Bytes of the rows' JSON at most; the first row is returned even if it alone is larger.
    pub max_bytes: usize,
    /// Time for the statement; the server stops it.
    pub statement_timeout: Duration,
}

impl Limits {
    /// The same limits with at most `rows` rows; never more than before.
    #[must_use]
    pub fn with_max_rows(mut self, rows: u32) -> Self {
        self.max_rows = self.max_rows.min(rows);
        self
    }

    /// The same limits with at most `bytes` bytes; never more than before.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = self.max_bytes.min(bytes);
        self
    }

    /// The same limits with at most `timeout` for the statement; never more than before.
    #[must_use]
    pub fn with_statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = self.statement_timeout.min(timeout);
        self
    }
}
