//! Why a statement is not run, in words that a language model can act on.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A statement that the guard does not let through.
///
/// [`Display`](fmt::Display) is the text for the client: what was refused, and what to write
/// instead. It quotes names from the statement and nothing else of the server. Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    kind: RefusalKind,
    message: Cow<'static, str>,
    position: Option<usize>,
}

/// The reason of a [`Refusal`], for metrics and for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// No statement: empty text, or comments only.
    Empty,
    /// Longer than the policy allows.
    TooLong,
    /// Nested deeper than the parser or the guard can follow.
    TooDeep,
    /// Not valid SQL, or text with a NUL character.
    Syntax,
    /// More than one statement.
    SeveralStatements,
    /// A statement other than `SELECT`, `EXPLAIN` of one, or `SHOW`.
    Statement,
    /// A part of a `SELECT` that writes or locks.
    Clause,
    /// Syntax that the guard does not know, and so does not let through.
    Unsupported,
    /// A function, operator or cast that is not known to be harmless.
    Function,
    /// A relation that the policy keeps closed.
    Relation,
    /// A column that the policy hides, or a way to read it without naming it.
    HiddenColumn,
    /// A constant expression that builds a huge value.
    TooExpensive,
    /// The guard itself could not do its work; the statement may be fine.
    Internal,
}

impl RefusalKind {
    /// PostgreSQL's code for what its parser does not take.
    pub(super) const SYNTAX_ERROR: &'static str = "42601";

    /// The kind as a word for a metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::TooDeep => "too_deep",
            Self::Syntax => "syntax",
            Self::SeveralStatements => "several_statements",
            Self::Statement => "statement",
            Self::Clause => "clause",
            Self::Unsupported => "unsupported",
            Self::Function => "function",
            Self::Relation => "relation",
            Self::HiddenColumn => "hidden_column",
            Self::TooExpensive => "too_expensive",
            Self::Internal => "internal",
        }
    }
}

impl Refusal {
    pub(super) fn new(kind: RefusalKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner { kind, message: message.into(), position: None }))
    }

    /// Adds the place, as the parser gives it: a byte offset, negative when unknown.
    pub(super) fn at(self, location: i32) -> Self {
        let Ok(position) = usize::try_from(location) else { return self };
        Self(Arc::new(Inner { kind: self.0.kind, message: self.0.message.clone(), position: Some(position) }))
    }

    /// Why the statement is refused.
    pub fn kind(&self) -> RefusalKind {
        self.0.kind
    }

    /// PostgreSQL's five-character code where the server would have given one: `42601` for
    /// [`RefusalKind::Syntax`].
    pub fn sqlstate(&self) -> Option<&'static str> {
        (self.0.kind == RefusalKind::Syntax).then_some(RefusalKind::SYNTAX_ERROR)
    }

    /// The text for the client.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where in the statement, in bytes from its start, when that is known.
    pub fn position(&self) -> Option<usize> {
        self.0.position
    }

    /// How many bytes this takes in the cache, about.
    pub(super) fn weight(&self) -> usize {
        size_of::<Inner>() + self.0.message.len()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Refusal {}
