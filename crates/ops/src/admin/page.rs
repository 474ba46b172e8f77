//! The page: one file, which loads nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");

/// The page, and what a browser may do with it.
pub(super) struct Page {
    pub(super) policy: String,
}

impl Page {
    pub(super) fn new() -> Self {
        let (style, script) = (hash("<style>", "</style>"), hash("<script>", "</script>"));
        let policy = format!(
            "default-src 'none'; style-src '{style}'; script-src '{script}'; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        Self { policy }
    }

    pub(super) fn html(&self) -> &'static str {
        PAGE
    }
}

/// The digest by which a content security policy allows what stands between those tags.
fn hash(begin: &str, end: &str) -> String {
    let inner = PAGE.split_once(begin).and_then(|(_, rest)| rest.split_once(end));
    let (inner, _) = inner.expect("the page has both");
    format!("sha256-{}", BASE64.encode(Sha256::digest(inner)))
}
