//! Keeps sockets and pipes going while tools block their threads.
//!
//! Of a runtime's worker threads, one waits for I/O and timers on behalf of all. If that one is woken to run a tool which
//! then blocks it, nothing else arrives until the tool is done, however idle the other workers are: they sleep until
//! somebody wakes them. So while requests run, a thread outside of the runtime wakes a worker now and then, which finds
//! nothing to do and takes over the waiting.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

/// How often to look while requests run: about as long as the others may be held up.
const BUSY: Duration = Duration::from_millis(20);
/// How often to look when none have for a while.
const QUIET: Duration = Duration::from_millis(200);
/// How many looks make a while.
const WHILE: u32 = 50;

/// Attends to the current runtime until it is dropped.
#[derive(Debug)]
pub(crate) struct Attendant {
    /// The thread ends when it finds itself alone with this.
    _alive: Arc<()>,
}

impl Attendant {
    /// Starts to attend. `busy` tells whether any requests run.
    ///
    /// A runtime of a single thread gets no attention: it has no other worker that could take over.
    pub(crate) fn start(busy: impl Fn() -> bool + Send + 'static) -> Self {
        let alive = Arc::new(());
        let attendant = Self { _alive: Arc::clone(&alive) };
        let runtime = Handle::current();
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return attendant;
        }
        let attend = move || {
            let mut quiet = WHILE;
            while Arc::strong_count(&alive) > 1 {
                if busy() {
                    quiet = 0;
                    runtime.spawn(async {});
                } else {
                    quiet = quiet.saturating_add(1);
                }
                thread::sleep(if quiet < WHILE { BUSY } else { QUIET });
            }
        };
        if let Err(error) = thread::Builder::new().name("attendant".into()).spawn(attend) {
            tracing::warn!(%error, "tools that block their threads may hold up others");
        }
        attendant
    }
}
