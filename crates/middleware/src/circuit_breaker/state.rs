//! The states of a breaker, and what moves it from one to another.

use std::time::Duration;

use serde::Serialize;

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It lets them through.
    Closed,
    /// It refuses them.
    Open,
    /// It lets a few through, to find out whether to close.
    HalfOpen,
}

impl State {
    pub(super) const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Why a breaker went from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Too large a share of the calls has failed.
    FailureRate,
    /// Too large a share of the calls was slow.
    SlowCallRate,
    /// Too many calls in a row have failed.
    ConsecutiveFailures,
    /// The time open is over.
    OpenTimeOver,
    /// Enough probes have succeeded.
    ProbesSucceeded,
    /// Too many probes have failed, or were slow.
    ProbesFailed,
    /// Probes were out for too long without a verdict.
    ProbesHung,
    /// The mode was set.
    ModeSet,
    /// It was reset.
    Reset,
}

impl Reason {
    /// Its name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FailureRate => "failure_rate",
            Self::SlowCallRate => "slow_call_rate",
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::OpenTimeOver => "open_time_over",
            Self::ProbesSucceeded => "probes_succeeded",
            Self::ProbesFailed => "probes_failed",
            Self::ProbesHung => "probes_hung",
            Self::ModeSet => "mode_set",
            Self::Reset => "reset",
        }
    }
}

/// One step from state to state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) from: State,
    pub(super) to: State,
    pub(super) reason: Reason,
    /// For how long, if it opened on its own.
    pub(super) open_for: Option<Duration>,
}
