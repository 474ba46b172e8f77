//! The values that labels may have: what keeps the number of series bounded, whatever callers send.

use towline_core::ErrorKind;

/// The label of what is not known.
pub(crate) const OTHER: &str = "_other";

/// The method that calls a tool.
pub(crate) const TOOLS_CALL: &str = "tools/call";

/// The other requests of the protocol's revisions: also those that only older clients send.
pub(super) const METHODS: [&str; 19] = [
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
    "tools/list",
];

/// What went wrong, as the label `error_type` tells it: `tool_error`, or a JSON-RPC code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ErrorType(usize);

impl ErrorType {
    pub(super) const COUNT: usize = 12;

    const NAMES: [&str; Self::COUNT] = [
        "tool_error",
        "-32020",
        "-32021",
        "-32022",
        "-32603",
        "401",
        "403",
        "413",
        "429",
        "503",
        "504",
        OTHER,
    ];

    /// A result with `isError`.
    pub(crate) const TOOL_ERROR: Self = Self(0);

    /// The kind's code, unless the mistake is the client's or it only stopped waiting.
    ///
    /// The semantic conventions for MCP name the codes that are the client's mistakes.
    pub(crate) const fn of(kind: ErrorKind) -> Option<Self> {
        if matches!(kind, ErrorKind::Cancelled) {
            return None;
        }
        Some(Self(match kind.code() {
            -32700 | -32600 | -32601 | -32602 | -32002 => return None,
            -32020 => 1,
            -32021 => 2,
            -32022 => 3,
            -32603 => 4,
            401 => 5,
            403 => 6,
            413 => 7,
            429 => 8,
            503 => 9,
            504 => 10,
            _ => 11,
        }))
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    pub(super) const fn index(self) -> usize {
        self.0
    }

    pub(crate) const fn as_str(self) -> &'static str {
        Self::NAMES[self.0]
    }
}

/// Whether a method is one of the protocol's.
pub(crate) fn is_method(name: &str) -> bool {
    name == TOOLS_CALL || METHODS.contains(&name)
}

/// Whether a name may be a label: short, printable, and without quotes.
pub(crate) fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\<>&".contains(&byte);
    (1..=128).contains(&name.len()) && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_its_code_as_type_unless_the_client_is_to_blame() {
        use ErrorKind::{
            Cancelled, CircuitOpen, Forbidden, HeaderMismatch, Internal, InvalidMeta, InvalidParams,
            InvalidRequest, MethodNotFound, MissingCapability, Overloaded, Parse, RateLimited, ShuttingDown,
            Timeout, TooLarge, Unauthenticated, Unavailable, UnsupportedVersion,
        };
        for kind in [
            CircuitOpen,
            Forbidden,
            HeaderMismatch,
            Internal,
            MissingCapability,
            Overloaded,
            RateLimited,
            ShuttingDown,
            Timeout,
            TooLarge,
            Unauthenticated,
            Unavailable,
            UnsupportedVersion,
        ] {
            assert_eq!(ErrorType::of(kind).unwrap().as_str(), kind.code().to_string(), "{kind:?}");
        }
        for kind in [Cancelled, InvalidMeta, InvalidParams, InvalidRequest, MethodNotFound, Parse] {
            assert_eq!(ErrorType::of(kind), None, "{kind:?}");
        }
    }
}
