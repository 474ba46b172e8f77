//! What a refusal tells a client to do: the header `WWW-Authenticate`.
//!
//! Sources: RFC 6750, section 3; RFC 9728, section 5.1; basic/authorization, "Scope Challenge Handling".

use std::sync::{Arc, OnceLock};

use http::HeaderValue;

use super::resource::ProtectedResource;
use crate::Scopes;

/// Takes from the server's layer to the HTTP service's which scopes a refused request needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepUp(Arc<OnceLock<Scopes>>);

impl StepUp {
    /// These are the scopes that the request needs, all of them.
    pub(crate) fn ask(&self, scopes: Scopes) {
        // Of several, as in a batch, the first is as good as any.
        let _ = self.0.set(scopes);
    }

    pub(super) fn asked(&self) -> Option<&Scopes> {
        self.0.get()
    }
}

/// What is wrong, in the words of RFC 6750.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no token; RFC 6750 wants no word for that.
    Missing,
    InvalidToken,
    InsufficientScope,
}

/// The challenge, which a client can act on: where to learn who gives tokens, and which scopes to ask for.
pub(super) fn challenge(
    fault: Fault,
    resource: Option<&ProtectedResource>,
    scopes: Option<&Scopes>,
) -> HeaderValue {
    let mut parts = Vec::new();
    match fault {
        Fault::Missing => {}
        Fault::InvalidToken => parts.push(r#"error="invalid_token""#.to_owned()),
        Fault::InsufficientScope => parts.push(r#"error="insufficient_scope""#.to_owned()),
    }
    if let Some(resource) = resource {
        parts.push(format!(r#"resource_metadata="{}""#, resource.metadata_url()));
    }
    let scopes: Vec<&str> =
        scopes.into_iter().flat_map(Scopes::iter).filter(|scope| is_scope(scope)).collect();
    if !scopes.is_empty() {
        parts.push(format!(r#"scope="{}""#, scopes.join(" ")));
    }
    let text = if parts.is_empty() { "Bearer".to_owned() } else { format!("Bearer {}", parts.join(", ")) };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
}

/// Whether a text can stand among scopes (RFC 6749, section 3.3): it could otherwise end the header's value.
pub(super) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_can_be_taken_apart_whatever_the_scopes_are() {
        let resource = ProtectedResource::new("https://mcp.example/mcp", ["https://id.example"]).unwrap();
        let metadata = r#"resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp""#;
        let scopes = Scopes::from_iter(["b", "a", "x\"y", "é"]);
        let told = challenge(Fault::InsufficientScope, Some(&resource), Some(&scopes));
        assert_eq!(told, &format!(r#"Bearer error="insufficient_scope", {metadata}, scope="a b""#));
        assert_eq!(challenge(Fault::Missing, Some(&resource), None), &format!("Bearer {metadata}"));
        assert_eq!(challenge(Fault::Missing, None, None), "Bearer");
        assert_eq!(challenge(Fault::InvalidToken, None, None), r#"Bearer error="invalid_token""#);
    }
}
