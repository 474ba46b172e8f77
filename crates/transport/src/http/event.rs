//! One event of a stream, as it is written.

use crate::line;

/// One event that carries a message.
pub(crate) fn push_event(out: &mut Vec<u8>, message: &[u8]) {
    out.extend_from_slice(b"event: message\ndata: ");
    line::push(out, message);
    out.extend_from_slice(b"\n\n");
}

/// The same as [`push_event`], with a number by which a client can come back to it.
pub(crate) fn push_numbered(out: &mut Vec<u8>, stream: u64, event: u64, message: &[u8]) {
    out.extend_from_slice(format!("id: {stream}_{event}\n").as_bytes());
    push_event(out, message);
}
