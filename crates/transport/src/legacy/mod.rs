//! What clients of revisions before 2026-07-28 need: a handshake, and requests that the server sends to them.

mod ask;
mod handshake;
mod peer;
mod session;

pub(crate) use ask::call_asking;
pub(crate) use handshake::Handshake;
pub(crate) use peer::Peer;
pub(crate) use session::Session;
