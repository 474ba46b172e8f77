//! What threads share in the transports, under schedules that shuttle chooses.
//!
//! The sources are compiled in here once more, with shuttle's locks in the place of std's (`crate::sync`). Inside, tokio's
//! `Notify` and channels stay what they are: they need no runtime, and since shuttle lets no other thread run until the next
//! of its own steps, each operation of theirs is one step. tokio's tasks it cannot drive: threads of shuttle's play them.
//! There is no test harness, for it would run the sources' unit tests outside of shuttle.

mod http;
mod in_flight;
#[path = "../../src/line.rs"]
mod line;
mod peer;
mod sync;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

fn main() {
    in_flight::a_request_is_answered_or_cancelled_and_never_both();
    peer::each_request_gets_its_own_answer_or_is_taken_back();
    http::session::a_client_that_comes_back_misses_nothing();
    http::session::who_waits_for_room_is_woken_when_the_stream_ends();
    http::session::who_waits_for_room_is_woken_by_a_client_that_is_ahead();
}

/// Runs a test under many schedules. Shuttle panics where all threads wait.
fn explore(schedules: usize, test: impl Fn() + Copy + Send + Sync + 'static) {
    let config = || {
        let mut config = Config::default();
        config.stack_size = 256 * 1024;
        config.silence_warnings = true;
        config
    };
    Runner::new(RandomScheduler::new(schedules), config()).run(test);
    // Few switches, at places that matter more: it finds what random schedules reach too rarely.
    Runner::new(PctScheduler::new(3, schedules), config()).run(test);
}
