//! The protocol's revisions.

use std::fmt;

/// A revision of the Model Context Protocol that this crate speaks.
///
/// Revisions are ordered by date, so `version >= ProtocolVersion::V2025_06_18` asks whether a feature of
/// that revision may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolVersion {
    /// The first revision: text, images and embedded resources.
    V2024_11_05,
    /// Adds Streamable HTTP, tool annotations and audio.
    V2025_03_26,
    /// Adds structured results, output schemas, titles and resource links.
    V2025_06_18,
    /// Adds icons and JSON Schema 2020-12 as the default dialect.
    V2025_11_25,
    /// Stateless: every request carries its version and the client's capabilities.
    V2026_07_28,
}

impl ProtocolVersion {
    /// All revisions, newest first: the order in which a server advertises them.
    pub const ALL: [Self; 5] =
        [Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18, Self::V2025_03_26, Self::V2024_11_05];

    /// The newest revision.
    pub const LATEST: Self = Self::V2026_07_28;

    /// The newest revision that begins with an `initialize` handshake.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;

    /// The revision's date as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision with that date, if this crate speaks it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// Whether requests carry their metadata themselves; older revisions agree on it in a handshake.
    pub const fn is_modern(self) -> bool {
        matches!(self, Self::V2026_07_28)
    }

    /// The revision's position, for tables that hold something per revision.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
