//! JSON on one line.

/// Appends JSON text on one line.
///
/// A line break in JSON is always white space between its parts, never part of a string, so a space says the same.
/// There is one only where a tool passes on JSON that someone else has laid out.
pub(crate) fn push(out: &mut Vec<u8>, json: &[u8]) {
    let start = out.len();
    out.extend_from_slice(json);
    let mut rest = &mut out[start..];
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
        rest[at] = b' ';
        rest = &mut rest[at + 1..];
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn line_breaks_become_spaces() {
        let mut out = b"data: ".to_vec();
        super::push(&mut out, b"{\n  \"a\\n\": 1\r\n}");
        assert_eq!(out, b"data: {   \"a\\n\": 1  }");
    }
}
