//! What the server tells of itself to those who want a token for it.
//!
//! Source: RFC 9728.

use http::Uri;
use serde::Serialize;

use super::challenge::is_scope;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A resource identifier that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the URL at which clients reach the server, such as https://mcp.example.com/mcp, without `?` and `#`"
)]
pub struct InvalidResource;

/// The server as a resource that an authorization server gives tokens for. [`AuthLayer`](crate::AuthLayer) serves its metadata
/// to everybody, at both well-known paths, and names it in challenges.
///
/// ```
/// use towline_auth::ProtectedResource;
///
/// let resource = ProtectedResource::new("https://mcp.example.com/mcp", ["https://id.example"])?;
/// assert_eq!(
///     resource.metadata_url(),
///     "https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
/// );
/// # Ok::<(), towline_auth::InvalidResource>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProtectedResource {
    document: Document,
    metadata_url: String,
    path: String,
}

#[derive(Clone, Debug, Serialize)]
struct Document {
    resource: String,
    authorization_servers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<String>,
}

impl ProtectedResource {
    /// The server at `resource`, which is also the audience that tokens must name, with the issuers that give them.
    ///
    /// # Errors
    ///
    /// When `resource` is no URL that tokens could be for.
    pub fn new(
        resource: &str,
        authorization_servers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, InvalidResource> {
        let uri: Uri = resource.parse().map_err(|_| InvalidResource)?;
        let (Some(scheme @ ("https" | "http")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(InvalidResource);
        };
        let is_plain = !resource.contains(['#', '?', '"', '\\', '@']);
        if !is_plain {
            return Err(InvalidResource);
        }
        let path = if uri.path() == "/" { "" } else { uri.path() };
        let document = Document {
            resource: resource.into(),
            authorization_servers: authorization_servers.into_iter().map(Into::into).collect(),
            scopes_supported: Vec::new(),
            bearer_methods_supported: ["header"],
            resource_name: None,
        };
        let path = format!("{WELL_KNOWN}{path}");
        Ok(Self { document, metadata_url: format!("{scheme}://{authority}{path}"), path })
    }

    /// The scopes that clients ask for at first: what the basic functions need, and not all that there are.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        // A refresh token is between the client and the authorization server.
        let is_ours = |scope: &String| is_scope(scope) && scope != "offline_access";
        self.document.scopes_supported = scopes.into_iter().map(Into::into).filter(is_ours).collect();
        self
    }

    /// The name that people read when they are asked whether a client may have a token.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.document.resource_name = Some(name.into());
        self
    }

    /// Where the metadata are.
    pub fn metadata_url(&self) -> &str {
        &self.metadata_url
    }

    /// The paths at which they are served: that of the resource, and the one without its path that some clients try.
    pub fn metadata_paths(&self) -> [&str; 2] {
        [&self.path, WELL_KNOWN]
    }

    pub(super) fn scopes_supported(&self) -> crate::Scopes {
        self.document.scopes_supported.iter().collect()
    }

    pub(super) fn json(&self) -> String {
        serde_json::to_string(&self.document).expect("text has a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_an_address() {
        for bad in
            ["mcp.example.com", "https://a/#x", "https://a/?x", "urn:a:b", "https://a\"b/", "https://u@a/"]
        {
            assert!(ProtectedResource::new(bad, ["https://id.example"]).is_err(), "{bad}");
        }
        let root = ProtectedResource::new("https://a:1", ["https://id.example"]).unwrap();
        assert_eq!(root.metadata_url(), "https://a:1/.well-known/oauth-protected-resource");
    }
}
