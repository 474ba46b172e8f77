//! What came of importing a document.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::operation::Skipped;

/// What came of importing a document.
///
/// `Display` writes it as lines for a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Operations that are served.
    pub operations: usize,
    /// Tools that serve them.
    pub tools: usize,
    /// Bytes of what a client reads about the tools, as JSON.
    pub bytes: usize,
    /// Operations that the configuration left out.
    pub excluded: usize,
    /// Operations that cannot be served.
    pub skipped: Vec<Skipped>,
    /// What of the others could not be mapped, and what is worth knowing of the whole.
    pub warnings: Vec<Warning>,
}

/// Something that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Warning {
    /// The operation's tool; none if it is about the whole.
    pub tool: Option<String>,
    /// What it is.
    pub text: String,
}

impl Report {
    pub(super) fn warn(&mut self, tool: Option<&str>, text: impl Into<String>) {
        self.warnings.push(Warning { tool: tool.map(Into::into), text: text.into() });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} operations as {} tools, {} bytes of definitions",
            self.operations, self.tools, self.bytes
        )?;
        if self.excluded > 0 {
            write!(f, "; {} left out by the configuration", self.excluded)?;
        }
        for Skipped { method, path, reason } in &self.skipped {
            write!(f, "\nskipped {method} {}: {}", OneLine(path), OneLine(reason))?;
        }
        for Warning { tool, text } in &self.warnings {
            match tool {
                Some(tool) => write!(f, "\n{tool}: {}", OneLine(text))?,
                None => write!(f, "\n{}", OneLine(text))?,
            }
        }
        Ok(())
    }
}

/// Text of a document, which may be anybody's, without what would begin a line of a log.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                    write!(f, "{}", c.escape_default())?;
                }
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_cannot_begin_a_line() {
        let mut report = Report::default();
        report.warn(None, "a\n2026 ERROR forged");
        assert!(report.to_string().ends_with(r"a\n2026 ERROR forged"), "{report}");
    }
}
