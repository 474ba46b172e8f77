//! What answers and failures say to a layer that judges them.

use std::any::Any;
use std::time::Duration;

use crate::error::{BoxError, Error, ErrorKind};
use crate::prompt::PromptResult;
use crate::request::Reply;
use crate::resource::ResourceResult;
use crate::tool::ToolResult;

/// What an answer says of the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnswerKind {
    /// The work is done.
    #[default]
    Complete,
    /// The work is done, and its outcome is a failure that the model should know of (`isError`), such as "no such
    /// city". The service itself is well.
    ToolError,
    /// The work waits for something that only the user or the client can give (`input_required`).
    InputRequired,
    /// The work goes on, and the client comes back for what comes of it.
    Task,
}

impl AnswerKind {
    /// The kind of any answer: [`Complete`](Self::Complete) for types that tell no kinds apart.
    ///
    /// So a layer that judges answers fits around any service, also one that knows nothing of this protocol.
    pub fn of<T: Any>(answer: &T) -> Self {
        // The types are known at compile time: nothing of this is left at run time.
        let answer: &dyn Any = answer;
        if let Some(result) = answer.downcast_ref::<ToolResult>() {
            return result.kind();
        }
        if let Some(result) = answer.downcast_ref::<ResourceResult>() {
            return result.kind();
        }
        if let Some(result) = answer.downcast_ref::<PromptResult>() {
            return result.kind();
        }
        answer.downcast_ref::<Reply>().map_or(Self::Complete, Reply::kind)
    }
}

/// An error type whose kind a layer can tell.
///
/// It is there for [`Error`], and for boxed errors, in which it finds an [`Error`] or one of tower's own.
pub trait Failure {
    /// What kind of failure it is. What is unknown is [`ErrorKind::Internal`].
    fn kind(&self) -> ErrorKind;

    /// How long to wait before trying again, if that is known.
    fn retry_after(&self) -> Option<Duration>;

    /// What a client may read of it.
    fn message(&self) -> &str;

    /// Whether a tool, or a layer around one, raised it: see [`Error::is_in_tool`].
    fn is_in_tool(&self) -> bool;
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        Self::kind(self)
    }

    fn retry_after(&self) -> Option<Duration> {
        Self::retry_after(self)
    }

    fn message(&self) -> &str {
        Self::message(self)
    }

    fn is_in_tool(&self) -> bool {
        Self::is_in_tool(self)
    }
}

impl Failure for BoxError {
    fn kind(&self) -> ErrorKind {
        if let Some(error) = self.downcast_ref::<Error>() {
            error.kind()
        } else if self.is::<tower::timeout::error::Elapsed>() {
            ErrorKind::Timeout
        } else if self.is::<tower::load_shed::error::Overloaded>() {
            ErrorKind::Overloaded
        } else {
            ErrorKind::Internal
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        self.downcast_ref::<Error>().and_then(Error::retry_after)
    }

    fn message(&self) -> &str {
        self.downcast_ref::<Error>().map_or("internal error", Error::message)
    }

    fn is_in_tool(&self) -> bool {
        self.downcast_ref::<Error>().is_some_and(Error::is_in_tool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_s_kind_is_found_whatever_its_type() {
        assert_eq!(AnswerKind::of(&ToolResult::error("no such city")), AnswerKind::ToolError);
        assert_eq!(AnswerKind::of(&ToolResult::text("fine")), AnswerKind::Complete);
        assert_eq!(AnswerKind::of(&"of a service that knows no protocol"), AnswerKind::Complete);
    }

    #[test]
    fn a_boxed_failure_is_of_the_kind_that_was_boxed() {
        let ours: BoxError =
            Error::new(ErrorKind::RateLimited, "slow down").with_retry_after(Duration::from_secs(3)).into();
        assert_eq!((ours.kind(), ours.retry_after()), (ErrorKind::RateLimited, Some(Duration::from_secs(3))));
        let elapsed: BoxError = tower::timeout::error::Elapsed::new().into();
        assert_eq!(elapsed.kind(), ErrorKind::Timeout);
        assert_eq!(BoxError::from("anything").kind(), ErrorKind::Internal);
    }
}
