//! When a breaker opens, for how long, and how it closes again.

use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::time::advance;
use towline_middleware::circuit_breaker::{Event, Mode, Permit, Reason, State};
use towline_middleware::{CircuitBreaker, CircuitBreakerConfig, Outcome};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The defaults without jitter, so that times are known.
fn config() -> CircuitBreakerConfig {
    let mut config = CircuitBreakerConfig::default();
    config.jitter = 0.0;
    config
}

/// The same of an upstream whose every call should be quick.
fn quick() -> CircuitBreakerConfig {
    let mut config = config();
    config.slow_call_rate = 0.8;
    config
}

fn breaker(config: CircuitBreakerConfig) -> CircuitBreaker {
    CircuitBreaker::new("shop", config)
}

/// Lets calls through that end at once; panics where one is refused.
fn calls(breaker: &CircuitBreaker, count: usize, outcome: Outcome) {
    for _ in 0..count {
        breaker.try_acquire().unwrap().record(outcome);
    }
}

/// Opens it with failures alone.
fn trip(breaker: &CircuitBreaker) {
    calls(breaker, 10, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
}

/// Opens it and lets the time open pass.
async fn half_open(breaker: &CircuitBreaker) {
    trip(breaker);
    advance(5 * SECOND).await;
}

fn open_for(breaker: &CircuitBreaker) -> Duration {
    breaker.try_acquire().unwrap_err().retry_after.unwrap()
}

fn probes(breaker: &CircuitBreaker, count: usize) -> Vec<Permit> {
    let permits = (0..count).map(|_| breaker.try_acquire().unwrap()).collect();
    assert_eq!(breaker.state(), State::HalfOpen);
    permits
}

fn steps(events: &mut Receiver<Event>) -> Vec<(State, State, Reason)> {
    std::iter::from_fn(|| events.try_recv().ok()).map(|event| (event.from, event.to, event.reason)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_long_time_of_health_does_not_hide_that_it_fails_now() {
    let breaker = breaker(config());
    for _ in 0..1000 {
        calls(&breaker, 1, Outcome::Success);
        advance(300 * MILLISECOND).await;
    }

    let mut failures = 0;
    while breaker.state() == State::Closed {
        calls(&breaker, 1, Outcome::Failure);
        failures += 1;
        advance(300 * MILLISECOND).await;
    }

    assert_eq!(failures, 50, "of the hundred calls in 30 s");
}

#[tokio::test(start_paused = true)]
async fn too_few_calls_do_not_open_it() {
    let breaker = breaker(config());
    calls(&breaker, 9, Outcome::Failure);
    assert_eq!(breaker.state(), State::Closed);

    // Those are forgotten after the window.
    advance(30 * SECOND).await;
    calls(&breaker, 9, Outcome::Failure);
    assert_eq!(breaker.state(), State::Closed);

    calls(&breaker, 1, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn every_second_failure_opens_it_at_one_half() {
    let breaker = breaker(config());
    for _ in 0..4 {
        calls(&breaker, 1, Outcome::Failure);
        calls(&breaker, 1, Outcome::Success);
    }
    calls(&breaker, 1, Outcome::Failure);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, Outcome::Success);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_window_of_calls_rolls() {
    let mut config = config();
    config.window_calls = Some(10);
    let breaker = breaker(config);
    calls(&breaker, 1000, Outcome::Success);
    advance(3600 * SECOND).await;

    calls(&breaker, 4, Outcome::Failure);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn ignored_outcomes_change_nothing() {
    let breaker = breaker(config());
    calls(&breaker, 9, Outcome::Failure);

    calls(&breaker, 50, Outcome::Ignored);

    let seen = breaker.snapshot();
    assert_eq!((seen.state, seen.calls, seen.failure_rate), (State::Closed, 9, 1.0));
    calls(&breaker, 1, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_it_though_they_succeed() {
    let breaker = breaker(quick());
    let mut events = breaker.subscribe();
    calls(&breaker, 2, Outcome::Success);
    let permits: Vec<_> = (0..8).map(|_| breaker.try_acquire().unwrap()).collect();
    advance(5 * SECOND).await;
    for permit in permits {
        assert_eq!(breaker.state(), State::Closed);
        permit.record(Outcome::Success);
    }
    assert_eq!(steps(&mut events), [(State::Closed, State::Open, Reason::SlowCallRate)]);
}

#[tokio::test(start_paused = true)]
async fn slow_calls_are_no_fault_unless_a_share_is_set() {
    let breaker = breaker(config());
    let permits: Vec<_> = (0..20).map(|_| breaker.try_acquire().unwrap()).collect();
    advance(600 * SECOND).await;
    for permit in permits {
        permit.record(Outcome::Success);
    }
    assert_eq!((breaker.state(), breaker.snapshot().slow_call_rate), (State::Closed, 1.0));
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_almost_slow_leave_it_closed() {
    let breaker = breaker(quick());
    let permits: Vec<_> = (0..20).map(|_| breaker.try_acquire().unwrap()).collect();
    advance(5 * SECOND - MILLISECOND).await;
    for permit in permits {
        permit.record(Outcome::Success);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_time_to_wait_counts_down() {
    let breaker = breaker(config());
    trip(&breaker);
    assert_eq!(open_for(&breaker), 5 * SECOND);
    advance(3 * SECOND).await;
    assert_eq!(open_for(&breaker), 2 * SECOND);
    advance(2 * SECOND).await;
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn half_open_lets_just_its_probes_through() {
    let breaker = breaker(config());
    half_open(&breaker).await;

    let _probes = probes(&breaker, 3);

    let refused = breaker.try_acquire().unwrap_err();
    // A probe that is no slow call is back by then.
    assert_eq!((refused.state, refused.retry_after), (State::HalfOpen, Some(5 * SECOND)));
    advance(28 * SECOND).await;
    assert_eq!(open_for(&breaker), 2 * SECOND, "then they count as hung");
}

#[tokio::test(start_paused = true)]
async fn enough_successes_close_it() {
    let breaker = breaker(config());
    half_open(&breaker).await;

    let mut probes = probes(&breaker, 3);
    probes.pop().unwrap().record(Outcome::Success);
    assert_eq!(breaker.state(), State::HalfOpen);
    probes.pop().unwrap().record(Outcome::Success);
    assert_eq!(breaker.state(), State::Closed);

    // It begins anew: what opened it is forgotten, and the probe that is still out does not count.
    probes.pop().unwrap().record(Outcome::Failure);
    assert_eq!(breaker.snapshot().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn two_failed_probes_of_three_open_it_for_twice_as_long() {
    let breaker = breaker(config());
    half_open(&breaker).await;

    let mut probes = probes(&breaker, 3);
    probes.pop().unwrap().record(Outcome::Success);
    probes.pop().unwrap().record(Outcome::Failure);
    assert_eq!(breaker.state(), State::HalfOpen);
    probes.pop().unwrap().record(Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(open_for(&breaker), 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_slow_probe_has_failed() {
    let breaker = breaker(quick());
    let mut events = breaker.subscribe();
    half_open(&breaker).await;
    let probes = probes(&breaker, 3);
    advance(5 * SECOND).await;
    for probe in probes {
        probe.record(Outcome::Success);
    }
    assert_eq!(steps(&mut events).last(), Some(&(State::HalfOpen, State::Open, Reason::ProbesFailed)));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_or_ignored_makes_room_for_another() {
    let breaker = breaker(config());
    half_open(&breaker).await;

    for _ in 0..20 {
        let mut probes = probes(&breaker, 3);
        assert!(breaker.try_acquire().is_err());
        probes.pop().unwrap().record(Outcome::Ignored);
        drop(probes);
    }
    calls(&breaker, 2, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn probes_that_hang_open_it_again() {
    let breaker = breaker(config());
    let mut events = breaker.subscribe();
    half_open(&breaker).await;
    let hung = probes(&breaker, 3);

    advance(30 * SECOND - MILLISECOND).await;
    assert_eq!(breaker.state(), State::HalfOpen);
    advance(MILLISECOND).await;
    assert_eq!(open_for(&breaker), 10 * SECOND);
    assert_eq!(steps(&mut events).last(), Some(&(State::HalfOpen, State::Open, Reason::ProbesHung)));

    // They take nothing from the next probes, and say nothing in their place.
    advance(10 * SECOND).await;
    let _next = probes(&breaker, 3);
    for probe in hung {
        probe.record(Outcome::Success);
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(breaker.try_acquire().is_err());
}

#[tokio::test(start_paused = true)]
async fn it_is_not_open_now_for_probes_that_hung_long_ago() {
    let breaker = breaker(config());
    half_open(&breaker).await;
    let _hung = probes(&breaker, 3);

    advance(40 * SECOND).await; // 30 s until they count as hung, then 10 s open

    assert_eq!(breaker.state(), State::HalfOpen);
    calls(&breaker, 2, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn it_stays_half_open_for_as_long_as_nobody_calls() {
    let breaker = breaker(config());
    half_open(&breaker).await;
    for _ in 0..100 {
        advance(60 * SECOND).await;
        assert_eq!(breaker.state(), State::HalfOpen);
    }
    drop(probes(&breaker, 1));
    advance(60 * SECOND).await;
    assert_eq!(breaker.snapshot().transitions, 2);
}

#[tokio::test(start_paused = true)]
async fn the_time_open_doubles_up_to_its_bound_and_falls_after_health() {
    let breaker = breaker(config());
    trip(&breaker);
    for seconds in [5, 10, 20, 40, 80, 120, 120] {
        assert_eq!(open_for(&breaker), seconds * SECOND);
        advance(seconds * SECOND).await;
        calls(&breaker, 2, Outcome::Failure);
    }
    advance(120 * SECOND).await;
    calls(&breaker, 2, Outcome::Success);

    // It was not closed for long.
    advance(119 * SECOND).await;
    trip(&breaker);
    assert_eq!(open_for(&breaker), 120 * SECOND);
    advance(120 * SECOND).await;
    calls(&breaker, 2, Outcome::Success);

    advance(120 * SECOND).await;
    trip(&breaker);
    assert_eq!(open_for(&breaker), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn jitter_spreads_the_time_open_within_its_share() {
    let time = |seed| {
        let breaker = CircuitBreaker::with_seed("shop", CircuitBreakerConfig::default(), seed);
        trip(&breaker);
        open_for(&breaker).as_secs_f64()
    };
    let times: Vec<f64> = (0..100).map(time).collect();
    assert!(times.iter().all(|time| (4.0..=6.0).contains(time)), "{times:?}");
    assert!(times.iter().any(|time| *time < 4.4) && times.iter().any(|time| *time > 5.6), "{times:?}");
    assert_eq!(time(7), times[7]);
}

#[tokio::test(start_paused = true)]
async fn answers_of_calls_from_before_it_opened_count_for_nothing() {
    let breaker = breaker(config());
    let early: Vec<_> = (0..30).map(|_| breaker.try_acquire().unwrap()).collect();
    half_open(&breaker).await;
    let _probe = probes(&breaker, 1);

    for (at, permit) in early.into_iter().enumerate() {
        permit.record(if at % 2 == 0 { Outcome::Success } else { Outcome::Failure });
    }

    let _probes = probes(&breaker, 2);
    assert!(breaker.try_acquire().is_err());
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_it_for_five_minutes() {
    let breaker = breaker(CircuitBreakerConfig::consecutive(5, 300 * SECOND));
    for _ in 0..10 {
        calls(&breaker, 4, Outcome::Failure);
        calls(&breaker, 1, Outcome::Success);
    }
    assert_eq!(breaker.state(), State::Closed);

    calls(&breaker, 4, Outcome::Failure);
    calls(&breaker, 1, Outcome::Ignored);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, Outcome::Failure);
    assert_eq!(open_for(&breaker), 300 * SECOND);

    advance(300 * SECOND).await;
    calls(&breaker, 1, Outcome::Failure);
    assert_eq!(open_for(&breaker), 300 * SECOND);

    advance(300 * SECOND).await;
    calls(&breaker, 1, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn forced_open_survives_time() {
    let breaker = breaker(config());
    breaker.set_mode(Mode::ForcedOpen);
    for _ in 0..10 {
        let refused = breaker.try_acquire().unwrap_err();
        assert_eq!((refused.state, refused.retry_after), (State::Open, None));
        advance(3600 * SECOND).await;
    }

    breaker.set_mode(Mode::Auto);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn forced_closed_refuses_nothing_and_judges_nothing() {
    let breaker = breaker(config());
    trip(&breaker);
    breaker.set_mode(Mode::ForcedClosed);
    calls(&breaker, 1000, Outcome::Failure);
    assert_eq!(breaker.state(), State::Closed);
    let early = breaker.try_acquire().unwrap();

    breaker.set_mode(Mode::Auto);
    early.record(Outcome::Failure);
    calls(&breaker, 9, Outcome::Failure);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn metrics_only_moves_but_refuses_nothing() {
    let mut config = config();
    config.mode = Mode::MetricsOnly;
    let breaker = breaker(config);
    trip(&breaker);
    calls(&breaker, 100, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);

    advance(5 * SECOND).await;
    let mut all = probes(&breaker, 100);
    for bystander in all.drain(3..) {
        bystander.record(Outcome::Failure);
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    for probe in all {
        probe.record(Outcome::Success);
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().refused, 0);
}

#[tokio::test(start_paused = true)]
async fn a_reset_closes_it_and_the_next_time_open_is_short() {
    let breaker = breaker(config());
    let mut events = breaker.subscribe();
    half_open(&breaker).await;
    calls(&breaker, 2, Outcome::Failure);
    assert_eq!(open_for(&breaker), 10 * SECOND);

    breaker.reset();

    assert_eq!(steps(&mut events).last(), Some(&(State::Open, State::Closed, Reason::Reset)));
    trip(&breaker);
    assert_eq!(open_for(&breaker), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn each_step_is_told_in_order() {
    let breaker = breaker(config());
    let mut events = breaker.subscribe();
    half_open(&breaker).await;
    calls(&breaker, 2, Outcome::Success);
    breaker.set_mode(Mode::ForcedOpen);
    breaker.set_mode(Mode::MetricsOnly);
    breaker.set_mode(Mode::Auto);

    let first = events.try_recv().unwrap();
    assert_eq!((&*first.breaker, first.open_for), ("shop", Some(5 * SECOND)));
    assert_eq!((first.to, first.reason), (State::Open, Reason::FailureRate));
    assert_eq!(
        steps(&mut events),
        [
            (State::Open, State::HalfOpen, Reason::OpenTimeOver),
            (State::HalfOpen, State::Closed, Reason::ProbesSucceeded),
            (State::Closed, State::Open, Reason::ModeSet),
            (State::Open, State::Closed, Reason::ModeSet),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_why_it_is_open() {
    let breaker = breaker(config());
    calls(&breaker, 4, Outcome::Success);
    calls(&breaker, 4, Outcome::Failure);
    advance(2 * SECOND).await;
    let seen = breaker.snapshot();
    assert_eq!((seen.state, seen.calls, seen.failure_rate, seen.retry_after), (State::Closed, 8, 0.5, None));

    calls(&breaker, 2, Outcome::Failure);
    assert!(breaker.try_acquire().is_err());
    advance(SECOND).await;

    let json = serde_json::to_value(breaker.snapshot()).unwrap();
    let expected = serde_json::json!({
        "name": "shop", "state": "open", "mode": "auto", "calls": 10, "failureRate": 0.6, "slowCallRate": 0.0,
        "retryAfterMs": 4000, "refused": 1, "transitions": 1
    });
    assert_eq!(json, expected);
}

#[test]
#[should_panic(expected = "circuit breaker \"shop\": jitter: must be between 0 and 1, got 2")]
fn settings_that_cannot_work_are_refused_when_it_is_made() {
    let mut config = config();
    config.jitter = 2.0;
    breaker(config);
}
