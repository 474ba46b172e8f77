//! Opaque cursors for lists that come in pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};

/// A page of a list: which one, and of which state of the list.
///
/// The digest makes a cursor of another state useless: the client then begins anew instead of missing entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) digest: u64,
    pub(crate) page: u32,
}

/// What signs cursors, so that one that was made up is told from one of ours.
#[derive(Clone, Copy)]
pub(crate) struct CursorKey([u8; 32]);

impl CursorKey {
    /// The key that comes of those parts, the same wherever they are the same.
    pub(crate) fn of(parts: [&[u8]; 2]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"towline cursor key\0");
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    fn sign(&self, place: &[u8]) -> [u8; SIGNATURE] {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(place);
        let digest: [u8; 32] = hash.finalize().into();
        *digest.first_chunk().expect("a digest is longer than a signature")
    }
}

impl std::fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CursorKey")
    }
}

const PLACE: usize = 12;
const SIGNATURE: usize = 16;

impl Cursor {
    pub(crate) fn encode(self, key: &CursorKey) -> String {
        let mut bytes = [0; PLACE + SIGNATURE];
        bytes[..8].copy_from_slice(&self.digest.to_be_bytes());
        bytes[8..PLACE].copy_from_slice(&self.page.to_be_bytes());
        let signature = key.sign(&bytes[..PLACE]);
        bytes[PLACE..].copy_from_slice(&signature);
        BASE64.encode(bytes)
    }

    pub(crate) fn decode(text: &str, key: &CursorKey) -> Option<Self> {
        let bytes: [u8; PLACE + SIGNATURE] = BASE64.decode(text).ok()?.try_into().ok()?;
        let (place, signature) = bytes.split_at(PLACE);
        // Time tells nothing of use: whoever can send cursors can as well read the list.
        if key.sign(place) != signature {
            return None;
        }
        let (digest, page) = place.split_at(8);
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

    const KEY: CursorKey = CursorKey([7; 32]);

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_it_went(digest: u64, page: u32) {
            let cursor = Cursor { digest, page };
            prop_assert_eq!(Cursor::decode(&cursor.encode(&KEY), &KEY), Some(cursor));
            prop_assert_eq!(Cursor::decode(&cursor.encode(&KEY), &CursorKey([8; 32])), None);
        }

        #[test]
        fn anything_else_is_no_cursor(text in any::<String>(), bytes: [u8; PLACE + SIGNATURE]) {
            prop_assert_eq!(Cursor::decode(&text, &KEY), None);
            prop_assert_eq!(Cursor::decode(&BASE64.encode(bytes), &KEY), None);
        }
    }
}
