//! Holds servers to clients that nobody here wrote.
//!
//! A [`Plan`] says what to call; a [`Client`] carries it out through an official SDK and reports what came of it. What
//! went over the wire meanwhile is kept, and [`Schemas`] holds every message of the server against the schema of its
//! revision. A [`Suite`] is the official one, with a client of its own.

mod client;
mod inspector;
mod issuer;
mod plan;
mod process;
mod record;
mod rmcp;
mod schema;
mod suite;
mod wire;

pub use client::{Client, installed, step_up};
pub use issuer::{Grant, Issuer};
pub use plan::{Answer, Answers, Browse, Browsed, Era, Outcome, Plan, Report, RpcError, Step, Target};
pub use process::{Ended, Process, cargo_build, cargo_build_binary, cargo_build_static};
pub use record::Conversation;
pub use schema::Schemas;
pub use suite::{Expected, Findings, Suite};
pub use wire::{Setup, Wire};
