//! What a failure of PostgreSQL is to a client.

use towline_core::{Error, ErrorKind};

use crate::error::PostgresError;

impl From<PostgresError> for Error {
    fn from(error: PostgresError) -> Self {
        use PostgresError as P;
        let kind = match &error {
            P::Statement(_) | P::NotAQuery | P::ParameterCount { .. } | P::Parameter { .. } => {
                ErrorKind::InvalidParams
            }
            P::StatementTimeout { .. } | P::LockTimeout => ErrorKind::Timeout,
            P::Cancelled => ErrorKind::Cancelled,
            P::Exhausted { .. } => ErrorKind::Overloaded,
            P::Unreachable { .. }
            | P::Authentication { .. }
            | P::UnknownDatabase { .. }
            | P::Tls { .. }
            | P::ConnectTimeout { .. }
            | P::NotAccepting { .. }
            | P::Lost { .. } => ErrorKind::Unavailable,
            P::Settings { .. } | P::Server { .. } | P::Protocol { .. } => ErrorKind::Internal,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}
