use std::io;

/// Why there is no scratch PostgreSQL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program of PostgreSQL is not on this machine.
    #[error(
        "PostgreSQL's `{program}` was not found in PATH, by pg_config or in the usual places; install it \
         (Debian and Ubuntu: `apt-get install postgresql`, Fedora: `dnf install postgresql-server`, \
         macOS: `brew install postgresql`)"
    )]
    NotInstalled {
        /// The missing program.
        program: &'static str,
    },
    /// The caller is root, PostgreSQL refuses to run as root, and there is no other user to run it as.
    #[error("PostgreSQL does not run as root, and this machine has neither a user `postgres` nor `nobody`")]
    NoUnprivilegedUser,
    /// A system call failed.
    #[error("could not {action}")]
    Io {
        /// What was tried, to be read after "could not".
        action: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program of PostgreSQL ended with an error.
    #[error("`{program}` failed: {output}")]
    Failed {
        /// The program.
        program: &'static str,
        /// What it wrote.
        output: String,
    },
    /// The server did not become ready in time, or ended while starting.
    #[error("the PostgreSQL server did not start; its log ends with: {log}")]
    NotReady {
        /// The last lines of the server's log.
        log: String,
    },
}

/// Adds to an [`io::Error`] what was tried.
pub(crate) trait Tried<T> {
    fn tried(self, action: impl Into<String>) -> Result<T, Error>;
}

impl<T> Tried<T> for io::Result<T> {
    fn tried(self, action: impl Into<String>) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action: action.into(), source })
    }
}
