//! Several messages at once, which only revision 2025-03-26 has.
//!
//! Source: revision 2025-03-26, basic, "Batching".

use bytes::Bytes;

use super::decode::{DecodeError, refuse};
use super::scan::{Limits, Scanner};
use crate::error::{Error, ErrorKind};

/// A batch has as many messages at most.
const MAX_MESSAGES: usize = 100;

/// Whether a message is a batch of messages.
pub fn is_batch(message: &[u8]) -> bool {
    message.trim_ascii_start().first() == Some(&b'[')
}

/// The messages of a batch, each still to be decoded.
///
/// # Errors
///
/// When it is not JSON, over a bound, empty, or of more than a hundred messages.
pub fn split_batch(batch: &Bytes, limits: &Limits) -> Result<Vec<Bytes>, DecodeError> {
    let refused = |kind, message| DecodeError { id: None, error: Error::new(kind, message) };
    let text = std::str::from_utf8(batch).map_err(|_| refused(ErrorKind::Parse, "not UTF-8"))?;
    // The batch itself is a level of nesting that no message has.
    let limits = Limits { max_depth: limits.max_depth.saturating_add(1), ..*limits };
    let mut scanner = Scanner::new(text, &limits);
    let mut messages = Vec::new();
    let scanned = match scanner.peek() {
        Some(b'[') => scanner
            .elements(|element| {
                messages.push(batch.slice(element));
                Ok(())
            })
            .and_then(|_| scanner.end()),
        _ => return Err(refused(ErrorKind::InvalidRequest, "a batch is an array of messages")),
    };
    scanned.map_err(|error| DecodeError { id: None, error: refuse(error) })?;
    match messages.len() {
        0 => Err(refused(ErrorKind::InvalidRequest, "a batch has at least one message")),
        1..=MAX_MESSAGES => Ok(messages),
        _ => Err(refused(ErrorKind::InvalidRequest, "a batch has at most 100 messages")),
    }
}

/// The answers to a batch.
pub fn join_batch(answers: &[Bytes]) -> Bytes {
    let mut out = Vec::with_capacity(2 + answers.iter().map(|answer| answer.len() + 1).sum::<usize>());
    out.push(b'[');
    for (n, answer) in answers.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(answer);
    }
    out.push(b']');
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Option<Vec<String>> {
        let messages = split_batch(&Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).ok()?;
        Some(messages.iter().map(|message| String::from_utf8(message.to_vec()).unwrap()).collect())
    }

    #[test]
    fn a_batch_is_parted_and_its_answers_are_joined() {
        assert_eq!(split(r#" [{"a":[1]} , 2,"x"] "#).unwrap(), [r#"{"a":[1]}"#, "2", "\"x\""]);
        for bad in ["[]", "[1", "[1] 2", "{}", "1", "", "[1,]", "[{\"a\":1,\"a\":2}]"] {
            assert_eq!(split(bad), None, "{bad}");
        }
        assert!(split(&format!("[{}0]", "0,".repeat(99))).is_some());
        assert!(split(&format!("[{}0]", "0,".repeat(100))).is_none());
        let answers = ["1", "2"].map(|answer| Bytes::from_static(answer.as_bytes()));
        assert_eq!(join_batch(&answers), "[1,2]");
        assert!(is_batch(b" \n[") && !is_batch(b"{") && !is_batch(b""));
    }
}
