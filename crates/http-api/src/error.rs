//! Why an API gave no answer.

use std::time::Duration;

use towline_core::{Error, ErrorKind};

use crate::egress::AddressKind;

/// Why an API gave no answer. What is refused before it is sent is a [`Refusal`](crate::egress::Refusal).
///
/// The texts name no host, path or value: clients read them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// Its name resolves to an address that it may not be at, or it is one.
    #[error(
        "this API is at a {} address, which its configuration does not allow; this is for the operator to change",
        kind.name()
    )]
    Address {
        /// What kind of address it is.
        kind: AddressKind,
    },
    /// Its name has no address.
    #[error("the API's host name could not be resolved")]
    NameNotFound,
    /// Nothing takes connections there.
    #[error("the API could not be connected to")]
    Unreachable,
    /// No connection was opened in time.
    #[error("the API took no connection within {within:?}")]
    ConnectTimeout {
        /// How long that was.
        within: Duration,
    },
    /// Its certificate is not trusted.
    #[error("the API's certificate is not trusted; this is for the operator to change")]
    Certificate,
    /// TLS failed otherwise.
    #[error("no secure connection to the API could be made")]
    Tls,
    /// The proxy gave no connection.
    #[error("the proxy in front of the API gave no connection")]
    Proxy,
    /// No whole answer came in time.
    #[error("the API gave no whole answer within {within:?}")]
    Timeout {
        /// How long that was.
        within: Duration,
    },
    /// The connection broke before there was an answer.
    #[error("the connection to the API broke before it answered")]
    Lost,
    /// The connection broke within the answer.
    #[error("the API's answer broke off")]
    Cut,
    /// What came is no HTTP, or not encoded as it says.
    #[error("the API's answer is malformed")]
    Malformed,
    /// A redirect leads out of the API, or to what its configuration does not allow.
    #[error("the API answered with a redirect that leads out of what may be called, which is never followed")]
    RedirectedAway,
    /// There were too many redirects.
    #[error("the API redirected more than {most} times")]
    TooManyRedirects {
        /// How many are followed.
        most: u8,
    },
    /// As many requests were sent as may be.
    #[error("this API takes no more requests for now")]
    RateLimited {
        /// When there is room for another.
        retry_after: Duration,
    },
    /// The API's token endpoint gave none.
    #[error("the API's credentials could not be renewed")]
    NoToken,
    /// The API's token endpoint refuses the configured client.
    #[error("the API's configured credentials are refused; this is for the operator to change")]
    CredentialsRefused,
}

impl ApiError {
    /// What a client may do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Address { .. }
            | Self::RedirectedAway
            | Self::TooManyRedirects { .. }
            | Self::CredentialsRefused => ErrorKind::Forbidden,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::RateLimited { .. } => ErrorKind::RateLimited,
            _ => ErrorKind::Unavailable,
        }
    }

    /// Whether the request may have been carried out although there is no answer.
    fn may_be_done(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Lost | Self::Cut | Self::Malformed | Self::RedirectedAway)
    }

    /// What the client reads. `changes` says that a request that was carried out has changed something.
    pub(crate) fn into_error(self, changes: bool) -> Error {
        let mut message = sentence(&self.to_string());
        if changes && self.may_be_done() {
            message.push_str(
                " It is unknown whether the request was carried out: find out before you repeat it.",
            );
        }
        let error = Error::new(self.kind(), message);
        let error = match &self {
            Self::RateLimited { retry_after } => error.with_retry_after(*retry_after),
            _ => error,
        };
        error.with_source(self)
    }
}

/// With a capital at the beginning and a full stop at the end.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}
