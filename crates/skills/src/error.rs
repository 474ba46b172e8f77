//! Why a folder of skills cannot be served.

use std::io;

/// A folder of skills that cannot be served, with the file to change. It is for the operator, never for a client.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` {problem}")]
pub struct SkillsError {
    path: String,
    problem: String,
    source: Option<io::Error>,
}

impl SkillsError {
    pub(crate) fn new(path: &str, problem: impl Into<String>) -> Self {
        let path = if path.is_empty() { "." } else { path };
        Self { path: path.to_owned(), problem: problem.into(), source: None }
    }

    pub(crate) fn io(path: &str, source: io::Error) -> Self {
        Self { source: Some(source), ..Self::new(path, "cannot be read") }
    }

    /// The file or folder, relative to the folder of skills and with `/` between its parts; `.` for that folder itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong with it; of a limit, which one it is over.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}
