//! Percent-encoding.

/// What of a value stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// RFC 3986's unreserved characters only.
    Unreserved,
    /// Reserved characters and what is percent-encoded already, too (`allowReserved`); save those that would end the
    /// value or the query: `&`, `+`, `#`, `[` and `]`, which a server decodes to the same.
    Reserved,
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `text`, percent-encoded.
pub(super) fn percent(out: &mut String, text: &str, keep: Keep) {
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let is_kept = byte.is_ascii_alphanumeric()
            || b"-._~".contains(&byte)
            || (keep == Keep::Reserved && (b":/?@!$'()*,;=".contains(&byte) || is_triplet(&bytes[at..])));
        if is_kept {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

fn is_triplet(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// Decodes each `%XX`; what is not one stays.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if is_triplet(&bytes[at..]) {
            let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
            out.push(digit(bytes[at + 1]) << 4 | digit(bytes[at + 2]));
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

/// Whether a server could see `.` or `..` as a segment of the path, however often it decodes (up to three times),
/// whatever it takes for a separator, and with path parameters (`;`) or without.
pub(super) fn has_dot_segment(path: &str) -> bool {
    let mut text = path.to_owned();
    for _ in 0..=3 {
        let is_dots = |segment: &str| {
            let name = segment.split(';').next().unwrap_or_default();
            name == "." || name == ".."
        };
        if text.split(['/', '\\']).any(is_dots) {
            return true;
        }
        let decoded = String::from_utf8_lossy(&decode(&text)).into_owned();
        if decoded == text {
            return false;
        }
        text = decoded;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, keep: Keep) -> String {
        let mut out = String::new();
        percent(&mut out, text, keep);
        out
    }

    #[test]
    fn a_value_is_encoded_whole() {
        assert_eq!(encoded("a/b?c#d%2Fé &=", Keep::Unreserved), "a%2Fb%3Fc%23d%252F%C3%A9%20%26%3D");
        assert_eq!(encoded("a/b?c#d%2Fé &=%", Keep::Reserved), "a/b?c%23d%2F%C3%A9%20%26=%25");
    }

    #[test]
    fn dot_segments_are_found_in_every_spelling() {
        for path in [
            "/a/..",
            "/./a",
            "/a/%2e%2E/b",
            "/a/%252e%252e",
            "/a/%25252e.",
            "/a/..;x=1",
            "/a/..%2Fb",
            "/a/b%5C..",
            "/a/x%252F..%252Fy",
        ] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in ["/a/b.c", "/a/...", "/..a/b..", "/%2e%2e%2e", "/a;b=..x"] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }
}
