//! What an answer says of the health of what gave it.

use std::any::Any;

use towline_core::{AnswerKind, ErrorKind, Failure};

/// What an answer says of the health of what gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It works, if only to say no.
    Success,
    /// It does not work.
    Failure,
    /// It was not asked, or the answer says nothing of it.
    Ignored,
}

/// Judges answers. A closure from `Result<&Res, &E>` to an [`Outcome`] is one.
pub trait Classify<Res, E> {
    /// What this answer says of the health of what gave it.
    fn classify(&self, answer: Result<&Res, &E>) -> Outcome;
}

impl<F, Res, E> Classify<Res, E> for F
where
    F: Fn(Result<&Res, &E>) -> Outcome,
{
    fn classify(&self, answer: Result<&Res, &E>) -> Outcome {
        self(answer)
    }
}

/// Judges by the kind of answer and error: the default.
///
/// Only what the caller cannot be blamed for is a failure: `Unavailable`, `Timeout` and `Internal` errors. A result
/// with `isError` is an answer, so it is a success. A request for input and every other error (wrong arguments,
/// authentication, cancellation, and the refusals of other layers) says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByKind;

impl<Res: Any, E: Failure> Classify<Res, E> for ByKind {
    fn classify(&self, answer: Result<&Res, &E>) -> Outcome {
        match answer {
            Ok(answer) => match AnswerKind::of(answer) {
                AnswerKind::InputRequired => Outcome::Ignored,
                _ => Outcome::Success,
            },
            Err(error) => match error.kind() {
                ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Internal => Outcome::Failure,
                _ => Outcome::Ignored,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use towline_core::{BoxError, Context, Error, RawJson, ToolCall, ToolResult};

    use super::*;

    #[test]
    fn only_what_the_caller_cannot_be_blamed_for_is_a_failure() {
        use ErrorKind::{
            Cancelled, CircuitOpen, Forbidden, Internal, InvalidParams, Overloaded, RateLimited, Timeout,
            Unauthenticated, Unavailable,
        };
        for (kind, expected) in [
            (Unavailable, Outcome::Failure),
            (Timeout, Outcome::Failure),
            (Internal, Outcome::Failure),
            (InvalidParams, Outcome::Ignored),
            (Unauthenticated, Outcome::Ignored),
            (Forbidden, Outcome::Ignored),
            (Cancelled, Outcome::Ignored),
            (RateLimited, Outcome::Ignored),
            (Overloaded, Outcome::Ignored),
            (CircuitOpen, Outcome::Ignored),
        ] {
            let error = Error::new(kind, "");
            assert_eq!(ByKind.classify(Err::<&ToolResult, _>(&error)), expected, "{kind:?}");
            let boxed = BoxError::from(error);
            assert_eq!(ByKind.classify(Err::<&(), _>(&boxed)), expected, "{kind:?}, boxed");
        }
    }

    #[test]
    fn an_answer_is_a_success_even_if_it_is_bad_news() {
        let classify = |result: ToolResult| ByKind.classify(Ok::<_, &Error>(&result));
        assert_eq!(classify(ToolResult::text("fine")), Outcome::Success);
        assert_eq!(classify(ToolResult::error("no such city")), Outcome::Success);
        let call = ToolCall::new("ask", RawJson::EMPTY_OBJECT, Context::default());
        let mut input = call.into_input();
        input.set_state(&1);
        assert_eq!(classify(input.ask::<ToolResult>().unwrap()), Outcome::Ignored);
    }
}
