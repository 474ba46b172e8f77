//! What threads share in the core, under schedules that shuttle chooses.
//!
//! The source is compiled in here once more, with shuttle's locks in the place of std's (`crate::sync`). Inside, tokio's
//! `Notify` stays what it is: it needs no runtime, and since shuttle lets no other thread run until the next of its own
//! steps, each operation of it is one step. There is no test harness, for it would run the source's unit tests outside of
//! shuttle.

mod changes;
mod sync;

// The paths by which the source knows the rest of its crate.
mod context {
    pub(crate) use towline_core::Context;
}
mod error {
    pub(crate) use towline_core::{Error, ErrorKind};
}
mod principal {
    pub(crate) use towline_core::{ClientAddr, Principal};
}
mod protocol {
    pub(crate) use towline_core::protocol::SubscriptionFilter;
}

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

fn main() {
    changes::what_changes_after_a_subscription_began_is_told();
    changes::what_ends_while_others_begin_is_forgotten();
    changes::threads_that_race_for_the_last_place_get_one();
}

/// Runs a test under many schedules. Shuttle panics where all threads wait.
fn explore(schedules: usize, test: fn()) {
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
