//! The way back to the client while a request is still running.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

/// What a request reports to its client's transport.
#[derive(Clone, Debug)]
pub enum Report {
    /// A whole JSON-RPC notification.
    Message(Bytes),
    /// The client may go away and come back for the rest that long afterwards, where the transport can keep it.
    Release(Duration),
}

/// Sends notifications about one request to its client: progress and log messages.
///
/// A transport makes one per request that may have any, and writes what it receives before the answer. The
/// channel is bounded, so a tool that reports faster than its client reads waits instead of filling memory.
#[derive(Debug)]
pub struct Notifier {
    sender: mpsc::Sender<Report>,
    /// The bits of the last progress value: the protocol wants it to grow.
    progress: AtomicU64,
    closing: Option<watch::Receiver<bool>>,
}

impl Notifier {
    /// A notifier, and the end at which a transport receives what is reported.
    ///
    /// # Panics
    ///
    /// Panics if `capacity` is zero.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Report>) {
        let (sender, receiver) = mpsc::channel(capacity);
        let progress = AtomicU64::new(f64::NEG_INFINITY.to_bits());
        (Self { sender, progress, closing: None }, receiver)
    }

    /// Lets what goes on until the server closes end when that becomes true.
    #[must_use]
    pub fn until(mut self, closing: watch::Receiver<bool>) -> Self {
        self.closing = Some(closing);
        self
    }

    /// Waits until the server closes.
    pub(crate) async fn closing(&self) {
        if let Some(closing) = &self.closing {
            // An error is a server that is gone.
            let _ = closing.clone().wait_for(|closing| *closing).await;
        } else {
            std::future::pending::<()>().await;
        }
    }

    /// Sends a notification, waiting while the client is behind. A client that is gone loses it.
    pub(crate) async fn send(&self, notification: Bytes) {
        let _ = self.sender.send(Report::Message(notification)).await;
    }

    pub(crate) async fn release(&self, retry: Duration) {
        let _ = self.sender.send(Report::Release(retry)).await;
    }

    /// Takes note of a progress value; false if it is not above the last one, or no number in JSON, and must not be
    /// sent.
    pub(crate) fn advance(&self, progress: f64) -> bool {
        let grows =
            |last: u64| (progress.is_finite() && progress > f64::from_bits(last)).then(|| progress.to_bits());
        self.progress.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grows).is_ok()
    }
}
