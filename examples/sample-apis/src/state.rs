//! What all connections share.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::oauth::Tokens;
use crate::received::Log;
use crate::rule::Rules;
use crate::upstream::Options;

/// Whether connections are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// Until then, or until it is opened.
    Closed(Option<Instant>),
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: Options,
    /// Where redirects to another origin lead.
    pub(crate) other: SocketAddr,
    pub(crate) gate: watch::Sender<Gate>,
    log: Mutex<Log>,
    rules: Mutex<Rules>,
    messages: Mutex<Vec<Value>>,
    tokens: Mutex<Tokens>,
    issues: Mutex<Vec<(&'static str, Value)>>,
}

impl State {
    pub(crate) fn new(options: Options, other: SocketAddr) -> Self {
        Self {
            log: Mutex::new(Log::new(options.log)),
            options,
            other,
            gate: watch::Sender::new(Gate::Open),
            rules: Mutex::default(),
            messages: Mutex::default(),
            tokens: Mutex::default(),
            issues: Mutex::default(),
        }
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    pub(crate) fn rules(&self) -> MutexGuard<'_, Rules> {
        lock(&self.rules)
    }

    pub(crate) fn messages(&self) -> MutexGuard<'_, Vec<Value>> {
        lock(&self.messages)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(&self.tokens)
    }

    /// Issues opened here, the oldest first, with the names of their repositories.
    pub(crate) fn issues(&self) -> MutexGuard<'_, Vec<(&'static str, Value)>> {
        lock(&self.issues)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
