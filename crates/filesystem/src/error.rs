//! Why a call gave nothing.

use std::io;

use towline_core::{Error, ErrorKind};

/// Why a call gave nothing. Its text is for the model: it names paths as callers write them, never those of the machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesystemError {
    /// The path leads out of every root.
    #[error("`{path}` is outside of the allowed directories")]
    Outside {
        /// As the caller wrote it.
        path: String,
    },
    /// The settings keep the path from callers, whether or not there is something.
    #[error("`{path}` is kept from callers by the settings of this server")]
    Kept {
        /// Relative to its root.
        path: String,
    },
    /// There is nothing.
    #[error("there is no `{path}`")]
    NotFound {
        /// Relative to its root.
        path: String,
    },
    /// The root is for reading only.
    #[error("`{path}` may only be read")]
    ReadOnly {
        /// Relative to its root.
        path: String,
    },
    /// The call asks for something that cannot be done.
    #[error("{0}")]
    Refused(String),
    /// A limit of the settings.
    #[error("{0}")]
    TooLarge(String),
    /// The file is not what the caller takes it for.
    #[error("`{path}` has changed: read it again, then decide")]
    Conflict {
        /// Relative to its root.
        path: String,
    },
    /// The system refused.
    #[error("`{path}` {}", reason(source))]
    Io {
        /// Relative to its root.
        path: String,
        /// For the logs.
        source: io::Error,
    },
    /// The work took longer than it may.
    #[error("this took too long: ask for less at once")]
    Timeout,
    /// As much work as may be is under way.
    #[error("too much is being read and written at this moment")]
    Busy,
    /// Nobody waits for the answer.
    #[error("cancelled")]
    Cancelled,
}

impl FilesystemError {
    pub(crate) fn io(path: &str, source: io::Error) -> Self {
        // A reader in the middle of a search stops with an error of ours inside.
        if let Some(inner) = source.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            match inner {
                Self::Timeout => return Self::Timeout,
                Self::Cancelled => return Self::Cancelled,
                _ => {}
            }
        }
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            _ => Self::Io { path, source },
        }
    }
}

/// What the system says, in words of ours: its own may hold paths.
fn reason(error: &io::Error) -> &'static str {
    // The standard library has no stable name for it.
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return "changed while it was looked at, or leads through too many links";
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => "cannot be accessed: permission denied",
        io::ErrorKind::NotADirectory => "has a part that is no directory",
        io::ErrorKind::IsADirectory => "is a directory",
        io::ErrorKind::AlreadyExists => "exists already",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "cannot be written: no space is left; what was there is unchanged"
        }
        io::ErrorKind::ReadOnlyFilesystem => "lies on a disk that is read-only",
        io::ErrorKind::InvalidFilename => "has a name that the disk cannot hold",
        io::ErrorKind::CrossesDevices => "would move to another disk, which is no rename: copy it instead",
        io::ErrorKind::FileTooLarge => "would be too large for the disk",
        _ => "cannot be read or written",
    }
}

impl From<FilesystemError> for Error {
    fn from(error: FilesystemError) -> Self {
        use FilesystemError as E;
        let kind = match &error {
            E::TooLarge(_) => ErrorKind::TooLarge,
            E::Timeout => ErrorKind::Timeout,
            E::Busy => ErrorKind::Overloaded,
            E::Cancelled => ErrorKind::Cancelled,
            E::Io { source, .. } if is_the_servers(source) => ErrorKind::Unavailable,
            // The caller wrote the path, so it may read what is wrong with it.
            _ => ErrorKind::InvalidParams,
        };
        Error::new(kind, error.to_string()).with_source(error)
    }
}

/// Whether a failure is none that another path would mend.
fn is_the_servers(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::Other)
}
