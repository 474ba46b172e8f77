//! Why a request is not sent.

/// Why a request is not sent. The text is for the model that asked for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It names a scheme: `https://host/`, `file:`.
    #[error("the endpoint must be a path of this API, not a whole URL: leave out scheme and host")]
    AbsoluteUrl,
    /// It begins with two slashes, which would name a host.
    #[error("the endpoint must not begin with two slashes")]
    NetworkPath,
    /// It does not begin with a slash.
    #[error("the endpoint must begin with `/`")]
    NoLeadingSlash,
    /// A segment is `.` or `..`, in whatever encoding.
    #[error("the endpoint must not hold `.` or `..` as a path segment, encoded or not")]
    DotSegment,
    /// It holds a backslash, which some servers read as a slash.
    #[error("the endpoint must not hold a backslash, encoded or not")]
    Backslash,
    /// It holds a carriage return or a line feed.
    #[error("the endpoint must not hold a line break, encoded or not")]
    LineBreak,
    /// It holds another control character.
    #[error("the endpoint must not hold control characters, encoded or not")]
    ControlCharacter,
    /// It holds `#`, which HTTP never sends.
    #[error("the endpoint must not hold `#`; write it as `%23` if it is part of a value")]
    Fragment,
    /// The path holds `?`.
    #[error("the path must not hold `?`; write it as `%3F` if it is part of a value")]
    QuestionMark,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("a `%` in the path must be followed by two hexadecimal digits; write a percent sign as `%25`")]
    BadPercent,
    /// The path is percent-encoded over and over.
    #[error("the path is percent-encoded too many times: encode values once")]
    EncodedTooOften,
    /// The path, decoded, is no UTF-8, as overlong spellings of dots and slashes are.
    #[error("the path must be UTF-8 once it is decoded")]
    NotUtf8,
    /// It is longer than any may be.
    #[error("path and query are too long: at most {most} bytes")]
    TooLong {
        /// How long it may be, in bytes.
        most: usize,
    },
    /// Joined, it would not lie below the base URL. Nothing is known that leads here: this is the check after the
    /// checks.
    #[error("the endpoint would leave this API")]
    Outside,
    /// The method is none that the configuration allows.
    #[error("this API may not be called with {method}; allowed: {allowed}")]
    Method {
        /// The method, at most 16 characters of it.
        method: String,
        /// Those that are allowed.
        allowed: String,
    },
    /// The path is none that the configuration allows.
    #[error("this path of the API may not be called; allowed: {allowed}")]
    Path {
        /// Those that are allowed, as patterns.
        allowed: String,
    },
    /// The header is not the caller's to set.
    #[error("the header `{name}` must not be set by a call: {why}")]
    Header {
        /// The header's name.
        name: String,
        /// Who sets it instead.
        why: &'static str,
    },
    /// There are too many headers, or they are too long.
    #[error("too many or too long headers: at most {count} with {bytes} bytes in all")]
    TooManyHeaders {
        /// How many there may be.
        count: usize,
        /// How long they may be together, names and values.
        bytes: usize,
    },
    /// The body is longer than any may be.
    #[error("the body is too long: at most {most} bytes")]
    Body {
        /// How long it may be, in bytes.
        most: usize,
    },
}

impl From<Refusal> for towline_core::Error {
    fn from(refusal: Refusal) -> Self {
        Self::invalid_params(format!("Not sent: {refusal}."))
    }
}
