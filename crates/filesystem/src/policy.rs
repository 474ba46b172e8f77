//! What callers get to see of what lies in the roots.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::config::ConfigError;

/// How the names of files begin that are being written, and how they end.
pub(crate) const TEMPORARY: (&str, &str) = (".towline-", ".tmp");

/// What is kept from callers.
#[derive(Debug)]
pub(crate) struct Policy {
    denied: GlobSet,
    show_hidden: bool,
}

impl Policy {
    pub(crate) fn new(deny: &[String], show_hidden: bool) -> Result<Self, ConfigError> {
        let mut set = GlobSetBuilder::new();
        for (n, pattern) in deny.iter().enumerate() {
            let wrong = |problem: String| ConfigError::new(format!("deny[{n}]"), problem);
            let pattern = pattern.trim_start_matches('/').trim_end_matches('/');
            if pattern.is_empty() {
                return Err(wrong("must not be empty".into()));
            }
            // What lies below a folder is reached through the folder, so keeping the folder keeps all of it.
            let pattern = pattern.strip_suffix("/**").unwrap_or(pattern);
            let pattern = if pattern.contains('/') { pattern.into() } else { format!("**/{pattern}") };
            let glob = GlobBuilder::new(&pattern).literal_separator(true).case_insensitive(true).build();
            set.add(glob.map_err(|error| wrong(error.kind().to_string()))?);
        }
        let denied = set.build().map_err(|error| ConfigError::new("deny", error.kind().to_string()))?;
        Ok(Self { denied, show_hidden })
    }

    /// Whether a path is kept from callers, when all folders that lead to it are not.
    pub(crate) fn keeps(&self, name: &str, path: &str) -> bool {
        self.hides(name) || self.denied.is_match(path)
    }

    /// Whether globs keep it, wherever its name alone would not.
    pub(crate) fn denies(&self, path: &str) -> bool {
        self.denied.is_match(path)
    }

    pub(crate) fn has_globs(&self) -> bool {
        !self.denied.is_empty()
    }

    fn hides(&self, name: &str) -> bool {
        name.starts_with('.') && !self.show_hidden || is_temporary(name)
    }
}

/// Whether a file is one that is being written, or was when its writer died.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.strip_prefix(TEMPORARY.0).is_some_and(|rest| rest.ends_with(TEMPORARY.1))
}
