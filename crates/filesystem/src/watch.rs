//! Tells clients which files change.

use std::path::Path;

use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use towline_core::Registry;

use crate::disk::{Disk, Filesystem};
use crate::resource::uri_of;

/// Clients are told of changes as long as this is there.
#[derive(Debug)]
#[must_use = "dropping it ends the watch"]
pub struct Watch {
    _watcher: RecommendedWatcher,
}

/// The system does not tell what changes: often because there are more folders than it watches at once.
#[derive(Debug, thiserror::Error)]
#[error("the system does not tell what changes in the directories")]
pub struct WatchError(#[from] notify::Error);

/// Tells clients that watch a file's resource when the file changes, is made or is gone.
///
/// It takes one watch of the system's per folder, below links none. What callers may not see they are not told of. What
/// changes while the system has too much to tell may be missed.
///
/// # Errors
///
/// When the system does not watch the folders.
pub fn watch(files: &Filesystem, registry: Registry) -> Result<Watch, WatchError> {
    let disk = std::sync::Arc::clone(&files.disk);
    let tell = move |event: notify::Result<Event>| match event {
        Ok(event) if is_change(event.kind) => {
            let uris = event.paths.iter().filter_map(|path| uri(&disk, path));
            uris.for_each(|uri| registry.resource_updated(&uri));
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "changes of files may have been missed"),
    };
    let config = Config::default().with_follow_symlinks(false);
    let mut watcher = RecommendedWatcher::new(tell, config)?;
    for root in &files.disk.roots {
        watcher.watch(&root.real, RecursiveMode::Recursive)?;
    }
    Ok(Watch { _watcher: watcher })
}

const fn is_change(kind: EventKind) -> bool {
    // Closing a file that was only read is no change.
    matches!(kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_))
}

/// The URI of a path on the machine, if callers may see it.
fn uri(disk: &Disk, path: &Path) -> Option<String> {
    // Of roots that lie in each other, the innermost, as paths from the machine's root are taken.
    let found = disk.roots.iter().filter_map(|root| Some((root, root.within(path)?)));
    let (root, rest) = found.min_by_key(|(_, rest)| rest.components().count())?;
    let mut full = String::new();
    for part in rest.iter() {
        let (name, before) = (part.to_str()?, std::mem::take(&mut full));
        crate::walk::push(&mut full, &before, name);
        if disk.policy.keeps(name, &full) {
            return None;
        }
    }
    Some(uri_of(&root.show(&full)))
}
