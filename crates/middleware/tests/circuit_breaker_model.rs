//! A breaker against the simplest program that does the same: it keeps every call and looks at the clock
//! every tick.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::advance;
use towline_middleware::circuit_breaker::{Mode, Permit, State};
use towline_middleware::{CircuitBreaker, CircuitBreakerConfig, Outcome};

/// All times in scripts are so many of these.
const TICK: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
enum Step {
    Advance { ticks: u64 },
    Call,
    Finish { which: prop::sample::Index, outcome: Outcome },
    Drop { which: prop::sample::Index },
    SetMode(Mode),
    Reset,
    Look,
}

/// A call that the model let through.
#[derive(Clone, Copy)]
struct Call {
    id: u64,
    era: u64,
    is_probe: bool,
    began: u64,
}

struct Model {
    config: CircuitBreakerConfig,
    mode: Mode,
    state: State,
    now: u64,
    /// How many states there were before this one.
    era: u64,
    last_id: u64,
    out: Vec<Call>,
    /// When, failed, slow: all calls since it closed.
    ended: Vec<(u64, bool, bool)>,
    closed_at: u64,
    open_until: u64,
    probes_since: u64,
    probes: Vec<bool>,
    trips: i32,
    /// Calls, failed, slow when it opened.
    at_opening: (usize, usize, usize),
}

fn ticks(duration: Duration) -> u64 {
    (duration.as_millis() / TICK.as_millis()) as u64
}

impl Model {
    fn new(config: CircuitBreakerConfig) -> Self {
        Self {
            mode: config.mode,
            config,
            state: State::Closed,
            now: 0,
            era: 0,
            last_id: 0,
            out: Vec::new(),
            ended: Vec::new(),
            closed_at: 0,
            open_until: 0,
            probes_since: 0,
            probes: Vec::new(),
            trips: 0,
            at_opening: (0, 0, 0),
        }
    }

    fn is_forced(&self) -> bool {
        matches!(self.mode, Mode::ForcedOpen | Mode::ForcedClosed)
    }

    fn visible_state(&self) -> State {
        match self.mode {
            Mode::ForcedOpen => State::Open,
            Mode::ForcedClosed => State::Closed,
            Mode::Auto | Mode::MetricsOnly => self.state,
        }
    }

    fn probes_out(&self) -> usize {
        self.out.iter().filter(|call| call.is_probe && call.era == self.era).count()
    }

    fn window(&self) -> (usize, usize, usize) {
        if self.state != State::Closed {
            return self.at_opening;
        }
        let inside: Vec<_> = match self.config.window_calls {
            Some(calls) => self.ended.iter().rev().take(calls as usize).collect(),
            None => {
                let slice = ticks(self.config.window.unwrap()) / 10;
                let slice_of = |tick: u64| (tick - self.closed_at) / slice;
                self.ended.iter().filter(|(at, ..)| slice_of(*at) + 10 > slice_of(self.now)).collect()
            }
        };
        let failed = inside.iter().filter(|(_, failed, _)| *failed).count();
        let slow = inside.iter().filter(|(_, _, slow)| *slow).count();
        (inside.len(), failed, slow)
    }

    fn tick(&mut self) {
        self.now += 1;
        if self.is_forced() {
            return;
        }
        if self.state == State::Open && self.now == self.open_until {
            self.state = State::HalfOpen;
            self.era += 1;
            self.probes.clear();
        } else if self.state == State::HalfOpen
            && self.probes_out() > 0
            && self.now == self.probes_since + ticks(self.config.half_open)
        {
            self.open();
        }
    }

    fn open(&mut self) {
        self.at_opening = self.window();
        if self.state == State::Closed && self.now - self.closed_at >= ticks(self.config.max_open) {
            self.trips = 0;
        }
        let time = ticks(self.config.open) * 2_u64.pow(self.trips.min(20) as u32);
        self.open_until = self.now + time.min(ticks(self.config.max_open));
        self.trips += 1;
        self.state = State::Open;
        self.era += 1;
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.era += 1;
        self.closed_at = self.now;
        self.ended.clear();
    }

    fn call(&mut self) -> Result<u64, Option<u64>> {
        let mut is_probe = false;
        if self.mode == Mode::ForcedOpen {
            return Err(None);
        }
        if !self.is_forced() {
            let is_full = self.probes_out() + self.probes.len() >= self.config.probes as usize;
            is_probe = self.state == State::HalfOpen && !is_full;
            if self.mode == Mode::Auto && self.state == State::Open {
                return Err(Some(self.open_until - self.now));
            }
            if self.mode == Mode::Auto && self.state == State::HalfOpen && is_full {
                let hung = self.probes_since + ticks(self.config.half_open) - self.now;
                return Err(Some(hung.min(ticks(self.config.slow_call))));
            }
        }
        if is_probe && self.probes_out() == 0 {
            self.probes_since = self.now;
        }
        self.last_id += 1;
        self.out.push(Call { id: self.last_id, era: self.era, is_probe, began: self.now });
        Ok(self.last_id)
    }

    fn end(&mut self, id: u64, outcome: Option<Outcome>) {
        let at = self.out.iter().position(|call| call.id == id).unwrap();
        let call = self.out.remove(at);
        let failed = match outcome {
            Some(Outcome::Success) => false,
            Some(Outcome::Failure) => true,
            Some(Outcome::Ignored) | None => return,
        };
        let slow = self.now - call.began >= ticks(self.config.slow_call);
        if call.era != self.era || self.is_forced() {
            return;
        }
        if self.state == State::Closed {
            self.ended.push((self.now, failed, slow));
            let (calls, failures, slow_calls) = self.window();
            let in_a_row = self.ended.iter().rev().take_while(|(_, failed, _)| *failed).count();
            let reaches = |part: usize, rate: f64| {
                calls >= self.config.min_calls as usize && rate > 0.0 && part as f64 / calls as f64 >= rate
            };
            if self.config.consecutive_failures.is_some_and(|limit| in_a_row >= limit as usize)
                || reaches(failures, self.config.failure_rate)
                || reaches(slow_calls, self.config.slow_call_rate)
            {
                self.open();
            }
        } else if call.is_probe {
            let too_slow = slow && self.config.slow_call_rate > 0.0;
            self.probes.push(!failed && !too_slow);
            self.probes_since = self.now;
            let good = self.probes.iter().filter(|good| **good).count();
            let left = self.config.probes as usize - self.probes.len();
            if good >= self.config.probe_successes as usize {
                self.close();
            } else if good + left < self.config.probe_successes as usize {
                self.open();
            }
        }
    }

    fn set_mode(&mut self, mode: Mode) {
        if mode == self.mode {
            return;
        }
        let was_forced = self.is_forced();
        self.mode = mode;
        if was_forced || self.is_forced() {
            self.reset();
        }
    }

    fn reset(&mut self) {
        self.close();
        self.trips = 0;
    }
}

fn a_config() -> impl Strategy<Value = CircuitBreakerConfig> {
    let window = prop_oneof![
        (1_u64..=3).prop_map(|seconds| (Some(Duration::from_secs(10 * seconds)), None)),
        (4_u32..=12).prop_map(|calls| (None, Some(calls))),
    ];
    let rates = (prop::sample::select(vec![0.3, 0.5, 1.0]), prop::sample::select(vec![0.0, 0.5, 0.8]));
    let in_a_row = prop::option::of(2_u32..6);
    let probes = (1_u32..=4).prop_flat_map(|probes| (Just(probes), 1..=probes));
    let times = (1_u64..=30, 1_u64..=40, 2_u64..=50);
    (window, 1_u32..=4, rates, in_a_row, probes, times).prop_map(
        |(window, min_calls, (failure_rate, slow_call_rate), in_a_row, probes, (open, half_open, slow))| {
            let mut config = CircuitBreakerConfig::default();
            (config.window, config.window_calls) = window;
            config.min_calls = min_calls;
            (config.failure_rate, config.slow_call_rate) = (failure_rate, slow_call_rate);
            config.consecutive_failures = in_a_row;
            (config.probes, config.probe_successes) = probes;
            config.open = TICK * open as u32;
            config.max_open = config.open * 6;
            config.half_open = TICK * half_open as u32;
            config.slow_call = TICK * slow as u32;
            config.jitter = 0.0;
            config
        },
    )
}

fn a_step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Success),
        4 => Just(Outcome::Failure),
        1 => Just(Outcome::Ignored),
    ];
    let mode = prop::sample::select(vec![
        Mode::Auto,
        Mode::Auto,
        Mode::MetricsOnly,
        Mode::ForcedOpen,
        Mode::ForcedClosed,
    ]);
    prop_oneof![
        60 => prop_oneof![1_u64..=10, 10_u64..=400].prop_map(|ticks| Step::Advance { ticks }),
        100 => Just(Step::Call),
        80 => (any::<prop::sample::Index>(), outcome)
            .prop_map(|(which, outcome)| Step::Finish { which, outcome }),
        12 => any::<prop::sample::Index>().prop_map(|which| Step::Drop { which }),
        3 => mode.prop_map(Step::SetMode),
        1 => Just(Step::Reset),
        20 => Just(Step::Look),
    ]
}

async fn run(config: CircuitBreakerConfig, script: Vec<Step>) -> Result<(), TestCaseError> {
    let breaker = CircuitBreaker::new("shop", config.clone());
    let mut model = Model::new(config);
    let mut permits: Vec<(u64, Permit)> = Vec::new();
    for step in script.into_iter().chain([Step::Look]) {
        match step {
            Step::Advance { ticks } => {
                advance(TICK * ticks as u32).await;
                (0..ticks).for_each(|_| model.tick());
            }
            Step::Call => {
                let given = breaker.try_acquire().map_err(|refused| refused.retry_after);
                match (given, model.call()) {
                    (Ok(permit), Ok(id)) => permits.push((id, permit)),
                    (given, expected) => {
                        let expected = expected.map_err(|wait| wait.map(|ticks| TICK * ticks as u32));
                        prop_assert_eq!(given.map(|_| ()), expected.map(|_| ()));
                    }
                }
            }
            Step::Finish { which, outcome } if !permits.is_empty() => {
                let (id, permit) = permits.swap_remove(which.index(permits.len()));
                permit.record(outcome);
                model.end(id, Some(outcome));
            }
            Step::Drop { which } if !permits.is_empty() => {
                let (id, permit) = permits.swap_remove(which.index(permits.len()));
                drop(permit);
                model.end(id, None);
            }
            Step::Finish { .. } | Step::Drop { .. } => {}
            Step::SetMode(mode) => {
                breaker.set_mode(mode);
                model.set_mode(mode);
            }
            Step::Reset => {
                breaker.reset();
                model.reset();
            }
            Step::Look => {
                let seen = breaker.snapshot();
                let (calls, failed, slow) = model.window();
                prop_assert_eq!(seen.state, model.visible_state());
                prop_assert_eq!(seen.calls as usize, calls);
                prop_assert_eq!(seen.failure_rate, failed as f64 / calls.max(1) as f64);
                prop_assert_eq!(seen.slow_call_rate, slow as f64 / calls.max(1) as f64);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn it_does_what_the_simplest_program_does(
        config in a_config(),
        script in prop::collection::vec(a_step(), 1..300),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(config, script))?;
    }
}
