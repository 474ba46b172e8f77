//! Opaque cursors for lists that come in pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

/// A page of a list: which one, and of which state of the list.
///
/// The digest makes a cursor of another state useless: the client then begins anew instead of missing entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) digest: u64,
    pub(crate) page: u32,
}

impl Cursor {
    pub(crate) fn encode(self) -> String {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.digest.to_be_bytes());
        bytes[8..].copy_from_slice(&self.page.to_be_bytes());
        BASE64.encode(bytes)
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 12] = BASE64.decode(text).ok()?.try_into().ok()?;
        let (digest, page) = bytes.split_at(8);
        Some(Self {
            digest: u64::from_be_bytes(digest.try_into().ok()?),
            page: u32::from_be_bytes(page.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_it_went(digest: u64, page: u32) {
            let cursor = Cursor { digest, page };
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }

        #[test]
        fn anything_else_is_no_cursor_or_encodes_to_itself(text in any::<String>()) {
            if let Some(cursor) = Cursor::decode(&text) {
                prop_assert_eq!(cursor.encode(), text);
            }
        }
    }
}
