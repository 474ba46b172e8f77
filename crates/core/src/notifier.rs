//! The way back to the client while a request is still running.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

/// Sends notifications about one request to its client: progress and log messages.
///
/// A transport makes one per request that may have any, and writes what it receives before the answer. The
/// channel is bounded, so a tool that reports faster than its client reads waits instead of filling memory.
#[derive(Debug)]
pub struct Notifier {
    sender: mpsc::Sender<Bytes>,
    /// The bits of the last progress value: the protocol wants it to grow.
    progress: AtomicU64,
}

impl Notifier {
    /// A notifier, and the end at which a transport receives whole JSON-RPC notifications, one by one.
    ///
    /// # Panics
    ///
    /// Panics if `capacity` is zero.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self { sender, progress: AtomicU64::new(f64::NEG_INFINITY.to_bits()) }, receiver)
    }

    /// Sends a notification, waiting while the client is behind. A client that is gone loses it.
    pub(crate) async fn send(&self, notification: Bytes) {
        let _ = self.sender.send(notification).await;
    }

    /// Takes note of a progress value; false if it is not above the last one, or no number in JSON, and must not be
    /// sent.
    pub(crate) fn advance(&self, progress: f64) -> bool {
        let grows =
            |last: u64| (progress.is_finite() && progress > f64::from_bits(last)).then(|| progress.to_bits());
        self.progress.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grows).is_ok()
    }
}
