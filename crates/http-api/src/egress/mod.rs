//! What a call can reach, and what it cannot.
//!
//! Two guards work independently of each other. The first ([`BaseUrl::join`]) makes the target of a request: what a
//! caller gives is appended to the base URL as bytes, never resolved against it, so that it ends below the base URL
//! whatever it holds. The second ([`AddressRules`]) sits where connections are opened: every address is judged right
//! before it is connected to, and no other is.

mod address;
mod check;
mod header;
mod pattern;
mod refusal;
mod target;

pub use address::{AddressKind, AddressRules};
pub(crate) use header::{check_headers, is_managed};
pub(crate) use pattern::PathPattern;
pub use refusal::Refusal;
pub use target::BaseUrl;
