//! How much a folder of skills may hold.

use serde::Deserialize;

/// How much a folder of skills may hold. What is over a limit fails the start; nothing is left out silently.
///
/// All that is served is held in memory, text as it is and other files as Base64, which is a third larger.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one file. Default: 4 MiB.
    pub max_file_bytes: u64,
    /// Files of one skill, with those of the skills nested in it. Default: 512, the number that the extension recommends
    /// servers to keep within.
    pub max_skill_files: usize,
    /// Bytes of all files of one skill, with those of the skills nested in it. Default: 16 MiB, the size that the
    /// extension recommends servers to keep within.
    pub max_skill_bytes: u64,
    /// Bytes of all files that are served. Default: 64 MiB.
    pub max_bytes: u64,
    /// Files and folders of all kinds, served or not, hidden ones too. Default: 10,000.
    pub max_entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file_bytes: 4 << 20,
            max_skill_files: 512,
            max_skill_bytes: 16 << 20,
            max_bytes: 64 << 20,
            max_entries: 10_000,
        }
    }
}
