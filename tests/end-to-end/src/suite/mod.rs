//! The official conformance suite, and what it finds in a server.

mod findings;
pub(crate) mod tools;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

pub use findings::{Expected, Findings};

/// How long one run may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// A version of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// The last that was called stable.
    V0_1,
    /// The first that knows the revision 2026-07-28.
    V0_2,
}

impl Suite {
    /// Runs the suite against the server at `url` and returns everything that it found.
    ///
    /// # Panics
    ///
    /// Panics when the suite is not installed, takes too long, or writes no findings.
    pub async fn run(self, url: &str, arguments: &[&str]) -> Findings {
        let results = TempDir::new().expect("a temporary directory can be made");
        let mut command = Command::new(tools::node());
        command
            .arg(self.bundle())
            .args(["server", "--url", url, "--output-dir"])
            .arg(results.path())
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(PATIENCE, command.output())
            .await
            .unwrap_or_else(|_| panic!("the suite took more than {PATIENCE:?}"))
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));

        // Its exit code says less than what it writes: it ignores warnings, and what it does not score.
        let findings = Findings::read(results.path());
        assert!(
            !findings.is_empty(),
            "{arguments:?} found nothing:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        findings
    }

    /// The file that has all of it.
    pub(crate) fn bundle(self) -> PathBuf {
        tools::installed(match self {
            Self::V0_1 => "conformance-0.1/dist/index.js",
            Self::V0_2 => "conformance-0.2/dist/index.js",
        })
    }
}
