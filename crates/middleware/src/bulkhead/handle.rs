//! A bulkhead as such: what runs, and what waits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use towline_core::{Error, ErrorKind};
use tracing::debug;

use super::config::BulkheadConfig;

/// A bound on what runs at once. A clone is a handle to the same.
///
/// Several services that use one thing, such as a pool of connections, share one: hand it to
/// [`BulkheadLayer::shared`]. Registered as a collector, it tells `mcp_bulkhead_available`, `mcp_bulkhead_queued`
/// and `mcp_bulkhead_refused_total` under its name.
///
/// [`BulkheadLayer::shared`]: super::BulkheadLayer::shared
#[derive(Clone)]
pub struct Bulkhead(Arc<State>);

/// Several bulkheads, to be registered as one collector. They must differ in their names.
#[derive(Clone, Debug, Default)]
pub struct Bulkheads(Arc<[Bulkhead]>);

struct State {
    name: Arc<str>,
    max_queue: usize,
    queue_timeout: Duration,
    permits: Arc<Semaphore>,
    queued: AtomicUsize,
    refused: AtomicU64,
}

/// What a bulkhead says to a call.
pub(super) enum Entry {
    /// It has no bulkhead.
    Free,
    Now(OwnedSemaphorePermit),
    Queued(Turn),
    Refused(Error),
}

/// A turn that is yet to come, or an error if it takes too long. Dropped, it leaves the queue.
///
/// It is boxed because tokio gives the future of a permit no name. Only a call that must wait pays for the box.
pub(super) type Turn = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, Error>> + Send>>;

impl Bulkhead {
    /// Nothing runs, and nothing waits. The name is for metrics and logs; callers do not read it.
    ///
    /// # Panics
    ///
    /// Panics where [`BulkheadConfig::validate`] fails.
    pub fn new(name: impl Into<Arc<str>>, config: &BulkheadConfig) -> Self {
        config.validate().unwrap_or_else(|error| panic!("bulkhead: {error}"));
        Self(Arc::new(State {
            name: name.into(),
            max_queue: config.max_queue,
            queue_timeout: config.queue_timeout,
            permits: Arc::new(Semaphore::new(config.max_concurrent)),
            queued: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }))
    }

    /// What metrics and logs call it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How many calls could begin now.
    pub fn available(&self) -> usize {
        self.0.permits.available_permits()
    }

    /// How many calls wait for their turn.
    pub fn queued(&self) -> usize {
        self.0.queued.load(Ordering::Relaxed)
    }

    /// How many calls it has refused, because the queue was full or took too long.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    pub(super) fn enter(&self) -> Entry {
        // Nobody overtakes by this: while calls wait, what others give back goes to them and is never available.
        if let Ok(permit) = Arc::clone(&self.0.permits).try_acquire_owned() {
            return Entry::Now(permit);
        }
        let max_queue = self.0.max_queue;
        let enqueued = self.0.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |queued| {
            (queued < max_queue).then_some(queued + 1)
        });
        if enqueued.is_err() {
            return Entry::Refused(self.refuse("the queue is full"));
        }
        let place = Place(Arc::clone(&self.0));
        let bulkhead = self.clone();
        Entry::Queued(Box::pin(async move {
            let _place = place;
            let permit = Arc::clone(&bulkhead.0.permits).acquire_owned();
            match timeout(bulkhead.0.queue_timeout, permit).await {
                Ok(Ok(permit)) => Ok(permit),
                // The other error would be a closed semaphore, which this one never is.
                _ => Err(bulkhead.refuse("the queue took too long")),
            }
        }))
    }

    fn refuse(&self, why: &'static str) -> Error {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        debug!(bulkhead = self.name(), why, "refused a call");
        // By then, what waits now has begun or given up.
        let retry_after = self.0.queue_timeout.max(Duration::from_secs(1));
        let message = format!("Too much is running at the moment: {why}.");
        Error::new(ErrorKind::Overloaded, message).with_retry_after(retry_after)
    }
}

/// A place in the queue.
struct Place(Arc<State>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead")
            .field("name", &self.name())
            .field("available", &self.available())
            .field("queued", &self.queued())
            .finish()
    }
}

impl<'a> FromIterator<&'a Bulkhead> for Bulkheads {
    fn from_iter<I: IntoIterator<Item = &'a Bulkhead>>(bulkheads: I) -> Self {
        Self(bulkheads.into_iter().cloned().collect())
    }
}

impl Collector for Bulkhead {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        encode(std::slice::from_ref(self), encoder)
    }
}

impl Collector for Bulkheads {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        encode(&self.0, encoder)
    }
}

fn encode(bulkheads: &[Bulkhead], mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
    type Count = fn(&Bulkhead) -> usize;
    let gauges: [(&str, &str, Count); 2] = [
        ("mcp_bulkhead_available", "Calls that could begin now", Bulkhead::available),
        ("mcp_bulkhead_queued", "Calls that wait for their turn", Bulkhead::queued),
    ];
    for (name, help, count) in gauges {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for bulkhead in bulkheads {
            let count = i64::try_from(count(bulkhead)).unwrap_or(i64::MAX);
            ConstGauge::new(count).encode(family.encode_family(&[("name", bulkhead.name())])?)?;
        }
    }
    let help = "Calls refused because too much was running";
    let mut family = encoder.encode_descriptor("mcp_bulkhead_refused", help, None, MetricType::Counter)?;
    for bulkhead in bulkheads {
        ConstCounter::new(bulkhead.refused()).encode(family.encode_family(&[("name", bulkhead.name())])?)?;
    }
    Ok(())
}
