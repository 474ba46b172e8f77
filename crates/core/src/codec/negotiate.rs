//! Which revision a request is in.

use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::protocol::ProtocolVersion;
use crate::request::Request;

/// What a transport knows of a request's revision, besides the request's own `_meta`.
#[derive(Clone, Copy, Debug)]
pub enum Agreed<'a> {
    /// Over HTTP: the `MCP-Protocol-Version` header, if there is one.
    Header(Option<&'a str>),
    /// Over a stream: the revision that an `initialize` on it has settled, if there was one.
    Handshake(Option<ProtocolVersion>),
}

/// Settles a request's revision, and holds its `_meta` against what that revision demands.
///
/// A request that names its revision itself is served without regard to what came before it. Any other is of an older
/// client: of the revision in the header or of the handshake, and over HTTP without a header of 2025-03-26, which
/// had none (basic/transports/streamable-http, "Protocol Version Header").
///
/// # Errors
///
/// `UnsupportedVersion` for a revision that this crate does not speak, `HeaderMismatch` when header and body disagree,
/// `InvalidMeta` when a modern request lacks what it must carry.
pub fn negotiate(request: &mut Request, agreed: Agreed<'_>) -> Result<(), Error> {
    let in_meta = request.context.meta().protocol_version();
    let requested = match (agreed, in_meta.as_deref()) {
        (Agreed::Header(Some(header)), Some(meta)) if header != meta => {
            let (header, meta) = (cut(header), cut(meta));
            return Err(mismatch(format!(
                "the header `MCP-Protocol-Version` says {header:?}, `_meta` says {meta:?}"
            )));
        }
        (Agreed::Header(None), Some(_)) => {
            return Err(mismatch("the header `MCP-Protocol-Version` is missing".into()));
        }
        (Agreed::Header(Some(version)), _) | (_, Some(version)) => Some(parse(version)?),
        (Agreed::Header(None), None) => Some(ProtocolVersion::V2025_03_26),
        (Agreed::Handshake(settled), None) => settled,
    };
    if requested.is_some_and(ProtocolVersion::is_modern) {
        request.context.set_version(ProtocolVersion::LATEST);
        return request.context.check_meta();
    }
    let version = match (&*request.method, requested) {
        ("initialize", _) => offer(request),
        (_, Some(settled)) => settled,
        // The older revisions allow a ping before the handshake.
        ("ping", None) => ProtocolVersion::LATEST_LEGACY,
        (_, None) => return request.context.check_meta(),
    };
    request.context.set_version(version);
    request.context.check_optional_meta()
}

/// The older revision that answers an `initialize`: the one it asks for, or the newest that has a handshake.
fn offer(request: &Request) -> ProtocolVersion {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Params {
        protocol_version: String,
    }
    request
        .parse::<Params>()
        .ok()
        .and_then(|params| ProtocolVersion::parse(&params.protocol_version))
        .filter(|version| !version.is_modern())
        .unwrap_or(ProtocolVersion::LATEST_LEGACY)
}

fn parse(requested: &str) -> Result<ProtocolVersion, Error> {
    #[derive(Serialize)]
    struct Data<'a> {
        supported: [&'static str; ProtocolVersion::ALL.len()],
        requested: &'a str,
    }
    ProtocolVersion::parse(requested).ok_or_else(|| {
        let supported = ProtocolVersion::ALL.map(ProtocolVersion::as_str);
        Error::new(ErrorKind::UnsupportedVersion, "unsupported protocol version")
            .with_data(&Data { supported, requested: &cut(requested) })
    })
}

/// What a client sent as a version may be as long as a message.
fn cut(version: &str) -> String {
    version.chars().take(64).collect()
}

fn mismatch(message: String) -> Error {
    Error::new(ErrorKind::HeaderMismatch, message)
}
