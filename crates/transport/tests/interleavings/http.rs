//! The paths by which the sources know each other.

#[path = "../../src/http/event.rs"]
mod event;
#[path = "session.rs"]
pub(crate) mod session;
