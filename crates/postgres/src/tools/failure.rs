//! What a failure of PostgreSQL is to a client.

use towline_core::{Error, ErrorKind};

use crate::error::PostgresError;

impl From<PostgresError> for Error {
    fn from(error: PostgresError) -> Self {
        client_error(&error).with_source(error)
    }
}

/// What the client reads, without the source for logs.
fn client_error(error: &PostgresError) -> Error {
    use PostgresError as P;
    let kind = match error {
        P::Statement(_) | P::Refused(_) | P::NotAQuery | P::ParameterCount { .. } | P::Parameter { .. } => {
            ErrorKind::InvalidParams
        }
        P::NoPrincipal { .. } => ErrorKind::Unauthenticated,
        // It says nothing of the database's health: other callers get in.
        P::NoRole { .. } | P::RoleRefused { .. } => ErrorKind::Forbidden,
        // The statement asks for too much: it says nothing of the database's health, and trying again does not help.
        P::StatementTimeout { .. } => ErrorKind::TooLarge,
        P::Exhausted { .. } | P::LockTimeout => ErrorKind::Overloaded,
        // The client did not cancel, so it waits for an answer.
        P::Cancelled
        | P::Unreachable { .. }
        | P::Authentication { .. }
        | P::UnknownDatabase { .. }
        | P::Tls { .. }
        | P::ConnectTimeout { .. }
        | P::NotAccepting { .. }
        | P::Lost { .. } => ErrorKind::Unavailable,
        P::Settings { .. } | P::Server { .. } | P::Protocol { .. } => ErrorKind::Internal,
    };
    Error::new(kind, error.to_string())
}
