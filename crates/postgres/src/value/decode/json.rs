//! `json` and `jsonb`.

use super::{Decoded, text};

/// Deeper documents come as strings: many readers of JSON stop at a depth of 100 to 128, and they
/// would lose the whole answer.
const MAX_DEPTH: usize = 64;

/// Embeds a document that PostgreSQL has checked, without the white space between its tokens: a
/// line break there would end the message on a transport that frames by lines.
pub(super) fn embed(document: &[u8], out: &mut Vec<u8>) -> Decoded {
    let start = out.len();
    if compact(document, out) {
        return Ok(());
    }
    out.truncate(start);
    text::string(document, out)
}

/// Whether every reader of JSON will take the copy.
fn compact(document: &[u8], out: &mut Vec<u8>) -> bool {
    if std::str::from_utf8(document).is_err() {
        return false;
    }
    let mut depth = 0_usize;
    let mut rest = document;
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => rest = after,
            b'"' => {
                let Some(len) = string_len(rest) else { return false };
                out.extend_from_slice(&rest[..len]);
                rest = &rest[len..];
            }
            b'-' | b'0'..=b'9' => {
                let is_number = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let len = rest.iter().position(|byte| !is_number(byte)).unwrap_or(rest.len());
                if !is_finite(&rest[..len]) {
                    return false;
                }
                out.extend_from_slice(&rest[..len]);
                rest = &rest[len..];
            }
            _ => {
                match byte {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth > MAX_DEPTH {
                    return false;
                }
                out.push(byte);
                rest = after;
            }
        }
    }
    true
}

/// Whether a number fits a 64-bit float, if only rounded: many readers of JSON fail at others, and
/// with them at the whole answer.
fn is_finite(number: &[u8]) -> bool {
    if number.len() < 300 && !number.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        return true;
    }
    let number = std::str::from_utf8(number).ok().and_then(|number| number.parse::<f64>().ok());
    number.is_some_and(f64::is_finite)
}

/// The length of the string at the start, quotes included. `json` (not `jsonb`) may hold half of a
/// surrogate pair, which few readers take: none then.
fn string_len(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match *text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' if text.get(at + 1) == Some(&b'u') => match unit(text, at)? {
                0xD800..=0xDBFF => {
                    if text.get(at + 6) != Some(&b'\\') || !matches!(unit(text, at + 6)?, 0xDC00..=0xDFFF) {
                        return None;
                    }
                    at += 12;
                }
                0xDC00..=0xDFFF => return None,
                _ => at += 6,
            },
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The code unit of the `\uXXXX` at `at`.
fn unit(text: &[u8], at: usize) -> Option<u32> {
    if text.get(at + 1) != Some(&b'u') {
        return None;
    }
    let digits = std::str::from_utf8(text.get(at + 2..at + 6)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, expected: &str) {
        let mut out = Vec::new();
        embed(document.as_bytes(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn white_space_outside_strings_goes() {
        check("{ \"a b\" :\n[1, 2]}", r#"{"a b":[1,2]}"#);
    }

    #[test]
    fn numbers_keep_their_text() {
        check("[1.10, -1e+30, 1e-400, 9007199254740993]", "[1.10,-1e+30,1e-400,9007199254740993]");
    }

    #[test]
    fn a_number_that_no_float_holds_makes_it_a_string() {
        check("[1e999]", "\"[1e999]\"");
        check("{\"b\": -1E400}", r#""{\"b\": -1E400}""#);
        check(r#"["1e999"]"#, r#"["1e999"]"#);
        let digits = format!("1{}", "0".repeat(400));
        check(&digits, &format!("\"{digits}\""));
    }

    #[test]
    fn half_a_surrogate_pair_makes_it_a_string() {
        check(r#"["\ud83d\ude00", "\\ud83d"]"#, r#"["\ud83d\ude00","\\ud83d"]"#);
        check(r#"["\ud83d"]"#, r#""[\"\\ud83d\"]""#);
        check(r#"["\ude00"]"#, r#""[\"\\ude00\"]""#);
    }

    #[test]
    fn a_deep_document_is_a_string() {
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        check(&deep, &format!("\"{deep}\""));
        let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
        check(&deep, &deep);
    }
}
