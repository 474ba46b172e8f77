//! What loads servers from outside: processes, as much of HTTP as clients need, and callers.
//!
//! `cargo xtask soak` runs the programs of this package, and `tests/faults` takes from servers what they depend on.

mod caller;
mod database;
mod process;
mod wire;

pub use caller::{Answer, Caller};
pub use database::DatabaseServer;
pub use process::{Sample, Served, free_address, raise_descriptors};
pub use wire::{Connection, Events, Head, get};

/// Whatever goes wrong.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
