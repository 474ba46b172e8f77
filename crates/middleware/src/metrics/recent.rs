//! The last errors.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use towline_core::ErrorKind;

/// Of each message this many characters are kept.
const MESSAGE: usize = 200;

/// The last errors, oldest first.
#[derive(Debug)]
pub(super) struct RecentErrors {
    errors: VecDeque<Noted>,
    capacity: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub(super) at: Duration,
    pub(super) subject: Arc<str>,
    pub(super) is_tool: bool,
    /// `None` for a result with `isError`.
    pub(super) kind: Option<ErrorKind>,
    pub(super) message: String,
    pub(super) trace_id: Option<u128>,
}

impl RecentErrors {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self { errors: VecDeque::new(), capacity: capacity.get() }
    }

    pub(super) fn push(&mut self, error: Noted) {
        if self.errors.len() >= self.capacity {
            self.errors.pop_front();
        }
        self.errors.push_back(error);
    }

    /// The newest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Noted> {
        self.errors.iter().rev()
    }
}

/// The beginning of a message, on one line.
pub(super) fn shorten(message: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    message.chars().take(MESSAGE).map(clean).collect()
}
