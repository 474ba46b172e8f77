//! What path and query must not hold.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::refusal::Refusal;

/// Bytes of a target at most, without its origin.
pub(super) const MOST_BYTES: usize = 8 * 1024;

/// How often a path is decoded to see what it might mean to a server that decodes more than once.
const DECODINGS: usize = 3;

pub(super) fn check_path(path: &str) -> Result<(), Refusal> {
    if path.len() > MOST_BYTES {
        return Err(Refusal::TooLong { most: MOST_BYTES });
    }
    check_characters(path)?;
    if path.contains('?') {
        return Err(Refusal::QuestionMark);
    }
    if !path.is_empty() && !path.starts_with('/') {
        return Err(if has_scheme(path) { Refusal::AbsoluteUrl } else { Refusal::NoLeadingSlash });
    }
    check_percent(path)?;
    // What it means to a server that decodes it, once or more.
    let mut meaning = path.as_bytes().to_vec();
    for _ in 0..=DECODINGS {
        check_meaning(&meaning)?;
        if !meaning.contains(&b'%') {
            return Ok(());
        }
        let decoded: Vec<u8> = percent_decode(&meaning).collect();
        if decoded == meaning {
            return Ok(());
        }
        meaning = decoded;
    }
    Err(Refusal::EncodedTooOften)
}

pub(super) fn check_query(query: &str) -> Result<(), Refusal> {
    if query.len() > MOST_BYTES {
        return Err(Refusal::TooLong { most: MOST_BYTES });
    }
    check_characters(query)
}

/// Of path and query alike. What is percent-encoded in a query is a value's, and no reader of URLs decodes it.
fn check_characters(text: &str) -> Result<(), Refusal> {
    for character in text.chars() {
        match character {
            '\r' | '\n' => return Err(Refusal::LineBreak),
            character if character.is_control() => return Err(Refusal::ControlCharacter),
            '\\' => return Err(Refusal::Backslash),
            '#' => return Err(Refusal::Fragment),
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn check_percent(text: &str) -> Result<(), Refusal> {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr(b'%', rest) {
        let is_encoded =
            matches!(rest[at + 1..], [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
        if !is_encoded {
            return Err(Refusal::BadPercent);
        }
        rest = &rest[at + 3..];
    }
    Ok(())
}

/// In text that has been decoded.
fn check_controls(text: &str) -> Result<(), Refusal> {
    match text.chars().find(|&character| character.is_control() || character == '\\') {
        Some('\r' | '\n') => Err(Refusal::LineBreak),
        Some('\\') => Err(Refusal::Backslash),
        Some(_) => Err(Refusal::ControlCharacter),
        None => Ok(()),
    }
}

/// The same with each character as the one that it looks like.
fn fold(text: &str) -> Result<String, Refusal> {
    check_controls(text)?;
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{ff3c}' | '\u{fe68}' | '\u{29f5}' => return Err(Refusal::Backslash),
            '\u{ff0e}' | '\u{2024}' | '\u{fe52}' | '\u{3002}' | '\u{ff61}' => plain.push('.'),
            '\u{2025}' => plain.push_str(".."),
            '\u{ff0f}' | '\u{2215}' | '\u{2044}' | '\u{29f8}' => plain.push('/'),
            // They are not seen, and some servers drop them.
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => {}
            other => plain.push(other),
        }
    }
    Ok(plain)
}

/// What a path means once it is decoded, also to a server that folds characters that look alike.
fn check_meaning(path: &[u8]) -> Result<(), Refusal> {
    let text = std::str::from_utf8(path).map_err(|_| Refusal::NotUtf8)?;
    let mut plain = Cow::Borrowed(text);
    if text.is_ascii() {
        check_controls(text)?;
    } else {
        plain = Cow::Owned(fold(text)?);
    }
    if plain.starts_with("//") {
        return Err(Refusal::NetworkPath);
    }
    let is_dots = |segment: &str| {
        // Some servers cut parameters (`..;v=1`) or spaces off a segment before they read it.
        let name = segment.split(';').next().unwrap_or_default().trim();
        name == "." || name == ".."
    };
    if plain.split('/').any(is_dots) { Err(Refusal::DotSegment) } else { Ok(()) }
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}
