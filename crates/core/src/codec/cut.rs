//! What is known of a message that is too long to be read.

use bytestring::ByteString;

use super::decode::{Found, scan_message};
use super::scan::{Limits, Scanner};
use crate::protocol::RequestId;

/// The id of a request of which only the beginning was kept, and the last bytes, if there are any.
///
/// Clients write the id first or last, and learn so which of their calls is refused. There is none if the beginning does not
/// hold the method: an id alone may be that of an answer.
pub fn id_of_cut(beginning: &[u8], end: &[u8]) -> Option<RequestId> {
    let whole = match std::str::from_utf8(beginning) {
        Ok(_) => beginning.len(),
        // The cut may go through a character.
        Err(error) => error.valid_up_to(),
    };
    let text = ByteString::try_from(&beginning[..whole]).ok()?;
    let mut found = Found::default();
    // It ends in a mistake, where the text ends; what counts is what was found before.
    let _ = scan_message(&text, &Limits::default(), &mut found);
    found.method.range()?;
    if found.has_two_ids {
        return None;
    }
    let Some(id) = found.id.range() else { return last_id(end) };
    // A number that the text ends with may go on.
    (id.end < text.len()).then(|| found.id.share(&text).and_then(RequestId::from_json)).flatten()
}

/// The value of the last member of an object that ends here, if that is the id.
///
/// A quote that begins a key has a comma before it, or white space after one; within a string it would have a backslash. So
/// what looks like the member is one, and of the outermost object, since no brace comes between it and the last one.
fn last_id(end: &[u8]) -> Option<RequestId> {
    let object = end.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end();
    let (last, before) = object.split_last()?;
    let length = match last {
        b'"' => before.iter().rev().position(|byte| *byte == b'"')? + 2,
        _ => object.iter().rev().position(|byte| !matches!(byte, b'-' | b'0'..=b'9'))?,
    };
    let (rest, value) = object.split_at(object.len() - length);
    let key = rest.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    key.strip_suffix(b"\"id\"")?.trim_ascii_end().strip_suffix(b",")?;
    let value = std::str::from_utf8(value).ok()?;
    let mut scanner = Scanner::new(value, &Limits::default());
    scanner.value().and_then(|_| scanner.end()).ok()?;
    RequestId::from_json(value.into())
}
