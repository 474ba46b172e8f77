//! What a server says of itself.

use bytestring::ByteString;
use serde::Serialize;

use super::encode::{write, write_freshness, write_meta};
use crate::answer::AnswerKind;
use crate::freshness::Freshness;
use crate::protocol::{Implementation, ProtocolVersion};
use crate::request::Reply;

/// What a server says of itself, written once.
#[derive(Debug)]
pub(crate) struct Identity {
    info: Implementation,
    instructions: Option<String>,
    /// The member that modern results carry in `_meta`.
    meta: ByteString,
}

impl Identity {
    pub(crate) fn new(info: Implementation, instructions: Option<String>) -> Self {
        let json = serde_json::to_string(&info).expect("strings and lists of strings have a JSON form");
        let meta = format!(r#""io.modelcontextprotocol/serverInfo":{json}"#).into();
        Self { info, instructions, meta }
    }

    pub(crate) fn info(&self) -> &Implementation {
        &self.info
    }

    pub(crate) fn meta(&self) -> &ByteString {
        &self.meta
    }

    /// As the older revision knows it.
    fn info_for(&self, version: ProtocolVersion) -> Implementation {
        let mut info = Implementation::new(&self.info.name, &self.info.version);
        if version >= ProtocolVersion::V2025_06_18 {
            info.title.clone_from(&self.info.title);
        }
        if version >= ProtocolVersion::V2025_11_25 {
            info = self.info.clone();
        }
        info
    }
}

/// The answer to `server/discover`.
pub(crate) fn discovery(identity: &Identity, capabilities: &impl Serialize, freshness: Freshness) -> Reply {
    let mut out = br#"{"resultType":"complete","supportedVersions":"#.to_vec();
    write(&mut out, &ProtocolVersion::ALL.map(ProtocolVersion::as_str));
    out.extend_from_slice(br#","capabilities":"#);
    write(&mut out, capabilities);
    if let Some(instructions) = &identity.instructions {
        out.extend_from_slice(br#","instructions":"#);
        write(&mut out, instructions);
    }
    write_freshness(&mut out, freshness, ProtocolVersion::LATEST);
    write_meta(&mut out, None, &identity.meta, ProtocolVersion::LATEST);
    out.push(b'}');
    Reply::of(AnswerKind::Complete, out)
}

/// The answer to `initialize`, in an older revision.
pub(crate) fn initialization(
    identity: &Identity,
    capabilities: &impl Serialize,
    version: ProtocolVersion,
) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct InitializeResult<'a, C> {
        protocol_version: &'static str,
        capabilities: &'a C,
        server_info: Implementation,
        #[serde(skip_serializing_if = "Option::is_none")]
        instructions: Option<&'a str>,
    }
    let mut out = Vec::new();
    let result = InitializeResult {
        protocol_version: version.as_str(),
        capabilities,
        server_info: identity.info_for(version),
        instructions: identity.instructions.as_deref(),
    };
    write(&mut out, &result);
    Reply::of(AnswerKind::Complete, out)
}
