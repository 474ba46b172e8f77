//! Who may call what, over real bytes: a server behind the layers, and a local issuer.
#![allow(unreachable_pub)] // It is one crate, and its modules are shared.

mod api_keys;
mod common;
#[cfg(feature = "introspection")]
mod introspection;
mod issuer;
mod scopes;
mod state;
mod tokens;
