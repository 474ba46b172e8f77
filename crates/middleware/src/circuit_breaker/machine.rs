//! What a breaker decides: its states and what moves it from one to another. It has no clock and no lock.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use super::config::{CircuitBreakerConfig, Mode};
use super::state::{Reason, State, Step};
use super::window::{Tally, Window};
use crate::classify::Outcome;

/// In what role a call was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It counts in the window.
    Counted,
    /// It helps to decide whether to close.
    Probe,
    /// It decides nothing.
    Bystander,
}

/// What a call was let through as, and when: nothing that it says counts after the next step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    pub(super) role: Role,
    generation: u64,
}

#[derive(Debug)]
enum Phase {
    Closed { since: Instant, failures_in_a_row: u32 },
    Open { until: Instant },
    HalfOpen { out: u32, out_since: Option<Instant>, succeeded: u32, failed: u32 },
}

#[derive(Debug)]
pub(super) struct Machine {
    config: CircuitBreakerConfig,
    mode: Mode,
    /// In a forced mode it is closed, and nothing counts.
    phase: Phase,
    /// Counts steps, so that calls let through before one are known afterwards.
    generation: u64,
    /// While open and half-open it keeps what opened the breaker.
    window: Window,
    /// How many times it has opened without having stayed closed for long.
    trips: u32,
    rng: Rng,
    /// Steps not yet told.
    steps: Vec<Step>,
    /// How many steps there were, by the state that they went to, as in [`State::ALL`].
    transitions: [u64; 3],
}

impl Machine {
    pub(super) fn new(config: CircuitBreakerConfig, rng: Rng, now: Instant) -> Self {
        Self {
            mode: config.mode,
            phase: Phase::Closed { since: now, failures_in_a_row: 0 },
            generation: 0,
            window: Window::new(&config, now),
            trips: 0,
            rng,
            steps: Vec::new(),
            transitions: [0; 3],
            config,
        }
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// The state as callers see it.
    pub(super) fn state(&self) -> State {
        match (self.mode, &self.phase) {
            (Mode::ForcedOpen, _) | (Mode::Auto | Mode::MetricsOnly, Phase::Open { .. }) => State::Open,
            (Mode::ForcedClosed, _) | (Mode::Auto | Mode::MetricsOnly, Phase::Closed { .. }) => State::Closed,
            (Mode::Auto | Mode::MetricsOnly, Phase::HalfOpen { .. }) => State::HalfOpen,
        }
    }

    /// What counts in the window: while it is not closed, what counted when it opened.
    pub(super) fn tally(&mut self, now: Instant) -> Tally {
        match self.phase {
            Phase::Closed { .. } => self.window.tally(now),
            Phase::Open { .. } | Phase::HalfOpen { .. } => self.window.last_tally(),
        }
    }

    /// How long a call that is refused now should wait.
    pub(super) fn retry_after(&self, now: Instant) -> Option<Duration> {
        if self.mode == Mode::ForcedOpen {
            return None;
        }
        match self.phase {
            Phase::Closed { .. } => None,
            Phase::Open { until } => Some(until.saturating_duration_since(now)),
            // Nobody knows when the probes end, but if all is well they take less than a slow call.
            Phase::HalfOpen { out_since, .. } => {
                let hung =
                    out_since.map(|since| (since + self.config.half_open).saturating_duration_since(now));
                Some(hung.map_or(self.config.slow_call, |hung| hung.min(self.config.slow_call)))
            }
        }
    }

    /// Takes the steps that time alone has made due, as if each had been taken at its time.
    pub(super) fn settle(&mut self, now: Instant) {
        loop {
            match self.phase {
                Phase::Open { until } if until <= now => {
                    let probing = Phase::HalfOpen { out: 0, out_since: None, succeeded: 0, failed: 0 };
                    self.go(probing, Reason::OpenTimeOver, None);
                }
                Phase::HalfOpen { out_since: Some(since), .. } if since + self.config.half_open <= now => {
                    self.open(Reason::ProbesHung, since + self.config.half_open);
                }
                _ => return,
            }
        }
    }

    /// Lets a call through, or does not.
    pub(super) fn admit(&mut self, now: Instant) -> Option<Admission> {
        self.settle(now);
        let role = match (self.mode, &mut self.phase) {
            (Mode::ForcedOpen, _) => None,
            (Mode::ForcedClosed, _) => Some(Role::Bystander),
            (_, Phase::Closed { .. }) => Some(Role::Counted),
            (_, Phase::HalfOpen { out, out_since, succeeded, failed })
                if *out + *succeeded + *failed < self.config.probes =>
            {
                *out += 1;
                out_since.get_or_insert(now);
                Some(Role::Probe)
            }
            (Mode::MetricsOnly, _) => Some(Role::Bystander),
            (Mode::Auto, _) => None,
        };
        role.map(|role| Admission { role, generation: self.generation })
    }

    /// Takes the answer of a call that was let through.
    pub(super) fn record(&mut self, admission: Admission, outcome: Outcome, took: Duration, now: Instant) {
        self.settle(now);
        if admission.generation != self.generation {
            return;
        }
        let failed = match outcome {
            Outcome::Success => false,
            Outcome::Failure => true,
            Outcome::Ignored => return self.give_back(admission.role),
        };
        let slow = took >= self.config.slow_call;
        match admission.role {
            Role::Counted => self.count(failed, slow, now),
            Role::Probe => {
                self.give_back(Role::Probe);
                self.judge(failed || (slow && self.config.slow_call_rate > 0.0), now);
            }
            Role::Bystander => {}
        }
    }

    /// Takes back what a call held that ends without an answer.
    pub(super) fn release(&mut self, admission: Admission, now: Instant) {
        self.settle(now);
        if admission.generation == self.generation {
            self.give_back(admission.role);
        }
    }

    fn give_back(&mut self, role: Role) {
        if role != Role::Probe {
            return;
        }
        if let Phase::HalfOpen { out, out_since, .. } = &mut self.phase {
            *out -= 1;
            if *out == 0 {
                *out_since = None;
            }
        }
    }

    pub(super) fn set_mode(&mut self, mode: Mode, now: Instant) {
        self.settle(now);
        let from = self.state();
        let was_forced = self.mode.is_forced();
        if mode == self.mode {
            return;
        }
        self.mode = mode;
        if was_forced || mode.is_forced() {
            self.begin_anew(from, Reason::ModeSet, now);
        }
    }

    pub(super) fn reset(&mut self, now: Instant) {
        self.settle(now);
        self.begin_anew(self.state(), Reason::Reset, now);
    }

    pub(super) fn transitions(&self) -> [u64; 3] {
        self.transitions
    }

    pub(super) fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// Counts a call while closed, and opens if that is one too many.
    fn count(&mut self, failed: bool, slow: bool, now: Instant) {
        let Phase::Closed { failures_in_a_row, .. } = &mut self.phase else { return };
        *failures_in_a_row = if failed { failures_in_a_row.saturating_add(1) } else { 0 };
        let in_a_row = *failures_in_a_row;
        self.window.add(failed, slow, now);
        let tally = self.window.last_tally();
        let config = &self.config;
        let enough = tally.calls >= config.min_calls;
        let reaches = |rate: f64, limit: f64| enough && limit > 0.0 && rate >= limit;
        if config.consecutive_failures.is_some_and(|limit| in_a_row >= limit) {
            self.open(Reason::ConsecutiveFailures, now);
        } else if reaches(tally.failure_rate(), config.failure_rate) {
            self.open(Reason::FailureRate, now);
        } else if reaches(tally.slow_call_rate(), config.slow_call_rate) {
            self.open(Reason::SlowCallRate, now);
        }
    }

    /// Counts a probe, and closes or opens if it decides.
    fn judge(&mut self, has_failed: bool, now: Instant) {
        let Phase::HalfOpen { out, out_since, succeeded, failed } = &mut self.phase else { return };
        // What answers one probe does not hang on the others: they get their time anew.
        *out_since = (*out > 0).then_some(now);
        *(if has_failed { &mut *failed } else { &mut *succeeded }) += 1;
        if *succeeded >= self.config.probe_successes {
            self.go(Phase::Closed { since: now, failures_in_a_row: 0 }, Reason::ProbesSucceeded, None);
            self.window.clear(now);
        } else if *failed > self.config.probes - self.config.probe_successes {
            // Those that are left are too few to close it.
            self.open(Reason::ProbesFailed, now);
        }
    }

    fn open(&mut self, reason: Reason, now: Instant) {
        if let Phase::Closed { since, .. } = self.phase
            && now.saturating_duration_since(since) >= self.config.max_open
        {
            self.trips = 0;
        }
        let doubled = self.config.open.saturating_mul(1_u32.checked_shl(self.trips).unwrap_or(u32::MAX));
        let swing = self.config.jitter * (2.0 * self.rng.f64() - 1.0);
        let open_for = doubled.min(self.config.max_open).mul_f64(1.0 + swing);
        self.trips = self.trips.saturating_add(1);
        self.go(Phase::Open { until: now + open_for }, reason, Some(open_for));
    }

    fn begin_anew(&mut self, from: State, reason: Reason, now: Instant) {
        self.phase = Phase::Closed { since: now, failures_in_a_row: 0 };
        self.generation += 1;
        self.window.clear(now);
        self.trips = 0;
        let to = self.state();
        if from != to {
            self.tell(Step { from, to, reason, open_for: None });
        }
    }

    fn go(&mut self, phase: Phase, reason: Reason, open_for: Option<Duration>) {
        let from = self.state();
        self.phase = phase;
        self.generation += 1;
        self.tell(Step { from, to: self.state(), reason, open_for });
    }

    fn tell(&mut self, step: Step) {
        self.transitions[step.to as usize] += 1;
        self.steps.push(step);
    }
}
