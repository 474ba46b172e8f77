//! `multipart/form-data`.
//!
//! Source: RFC 7578, with names and file names written as the HTML standard has it ("Multipart form data").

use std::hash::{BuildHasher, RandomState};

use memchr::memmem::Finder;

/// One part.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    pub(super) filename: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) bytes: Vec<u8>,
}

/// The body, and the boundary that its parts have between them, which is in none of them.
pub(super) fn write(parts: &[Part<'_>]) -> (Vec<u8>, String) {
    let is_free = |boundary: &str| {
        let finder = Finder::new(boundary.as_bytes());
        parts.iter().all(|part| finder.find(&part.bytes).is_none())
    };
    // Nobody can guess it, so that nobody can make this look through the parts more than once.
    let boundary = loop {
        let [first, second] = [RandomState::new(), RandomState::new()].map(|state| state.hash_one(0));
        let candidate = format!("----towline-{first:016x}{second:016x}");
        if is_free(&candidate) {
            break candidate;
        }
    };
    let size: usize = parts.iter().map(|part| part.bytes.len() + 256).sum();
    let mut out = Vec::with_capacity(size + 64);
    for part in parts {
        out.extend_from_slice(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", escape(part.name))
                .as_bytes(),
        );
        if let Some(filename) = &part.filename {
            out.extend_from_slice(format!("; filename=\"{}\"", escape(filename)).as_bytes());
        }
        if let Some(content_type) = &part.content_type {
            out.extend_from_slice(format!("\r\nContent-Type: {content_type}").as_bytes());
        }
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&part.bytes);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (out, boundary)
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("%22"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_cannot_be_guessed_from_another() {
        let part =
            |bytes: &[u8]| Part { name: "a", filename: None, content_type: None, bytes: bytes.to_vec() };
        let (_, plain) = write(&[part(b"x")]);
        let (body, other) = write(&[part(format!("x{plain}y").as_bytes())]);
        assert_ne!(plain, other);
        assert_eq!(String::from_utf8(body).unwrap().matches(&other).count(), 2);
    }

    #[test]
    fn names_cannot_end_the_header_that_they_stand_in() {
        let part = Part {
            name: "a\"\r\nX: y",
            filename: Some("é\n.txt".into()),
            content_type: None,
            bytes: Vec::new(),
        };
        let text = String::from_utf8(write(&[part]).0).unwrap();
        assert!(text.contains("form-data; name=\"a%22%0D%0AX: y\"; filename=\"é%0A.txt\"\r\n\r\n"), "{text}");
    }
}
