//! Whether the folders are there.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use towline_core::health::{Health, HealthCheck};

use crate::disk::{Disk, Filesystem};

/// A disk that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// One check for each root: whether it can be read, and is still what lies at its path.
///
/// It takes no turn from calls. While a disk hangs, one thread waits for it, however often it is asked.
pub fn checks(files: &Filesystem) -> impl ExactSizeIterator<Item = Arc<dyn HealthCheck>> {
    let check = |at| RootCheck { disk: Arc::clone(&files.disk), at, is_looking: Arc::default() };
    let checks: Vec<_> = (0..files.disk.roots.len()).map(|at| Arc::new(check(at)) as _).collect();
    checks.into_iter()
}

/// Whether a root can be read.
#[derive(Debug)]
struct RootCheck {
    disk: Arc<Disk>,
    at: usize,
    /// Whether somebody waits for the disk.
    is_looking: Arc<AtomicBool>,
}

#[async_trait]
impl HealthCheck for RootCheck {
    fn name(&self) -> &str {
        &self.disk.roots[self.at].name
    }

    async fn check(&self) -> Health {
        let hangs = || Health::Down("its disk does not answer".into());
        if self.is_looking.swap(true, Ordering::AcqRel) {
            return hangs();
        }
        let (disk, at, is_looking) = (Arc::clone(&self.disk), self.at, Arc::clone(&self.is_looking));
        let look = spawn_blocking(move || {
            let health = look(&disk, at);
            is_looking.store(false, Ordering::Release);
            health
        });
        match timeout(PATIENCE, look).await {
            Ok(Ok(health)) => health,
            Ok(Err(_)) | Err(_) => hangs(),
        }
    }
}

fn look(disk: &Disk, at: usize) -> Health {
    let root = &disk.roots[at];
    let Ok((device, file)) = root.look() else {
        return Health::Down("the directory cannot be read".into());
    };
    match std::fs::metadata(&root.real) {
        Ok(there) if (there.dev(), there.ino()) == (device, file) => Health::Up,
        Ok(_) => Health::Degraded("another directory is in its place; restart the server".into()),
        Err(_) => Health::Degraded("the directory is no longer in its place".into()),
    }
}
