//! What threads share state by.
//!
//! The modules that take it from here are also compiled into the test `interleavings`, where the same names mean types
//! whose schedule the test chooses.

pub(crate) use std::sync::atomic;
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use tokio::sync::Notify;
