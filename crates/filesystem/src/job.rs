//! Work on a thread that may wait for a disk: bounded, and stopped when nobody waits for it.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout;
use towline_core::Error;

use crate::error::FilesystemError;

/// What work asks whether to go on.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    is_cancelled: Arc<AtomicBool>,
    deadline: Instant,
}

impl Job {
    /// Fails when nobody waits for the work, or it takes too long. Loops ask it each time around.
    pub(crate) fn check(&self) -> Result<(), FilesystemError> {
        if self.is_cancelled.load(Ordering::Relaxed) {
            return Err(FilesystemError::Cancelled);
        }
        if Instant::now() >= self.deadline {
            return Err(FilesystemError::Timeout);
        }
        Ok(())
    }

    /// A reader that stops when the work must.
    pub(crate) fn reader<R>(&self, inner: R) -> JobReader<'_, R> {
        JobReader { job: self, inner }
    }

    /// What is left of the time.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// A reader that stops when its work must.
#[derive(Debug)]
pub(crate) struct JobReader<'a, R> {
    job: &'a Job,
    inner: R,
}

impl<R: Read> Read for JobReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.job.check().map_err(io::Error::other)?;
        self.inner.read(buffer)
    }
}

/// Tells the work that nobody waits, however the waiting ended.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs work on a thread of its own, within the permits.
pub(crate) async fn run<T, F>(permits: &Arc<Semaphore>, time: Duration, work: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce(&Job) -> Result<T, FilesystemError> + Send + 'static,
{
    let deadline = Instant::now() + time;
    let permit = match timeout(time, Arc::clone(permits).acquire_owned()).await {
        Ok(permit) => permit.map_err(Error::internal)?,
        Err(_) => return Err(FilesystemError::Busy.into()),
    };
    let is_cancelled = Arc::new(AtomicBool::new(false));
    let _guard = CancelOnDrop(Arc::clone(&is_cancelled));
    let job = Job { is_cancelled, deadline };
    let work = tokio::task::spawn_blocking(move || {
        // The permit goes with the work: what nobody waits for still uses the disk until it notices.
        let _permit = permit;
        work(&job)
    });
    Ok(work.await.map_err(Error::internal)??)
}
