//! How far a long run is, on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use towline_testkit::Step;

/// A bar on standard error; nothing at all if that is no terminal.
pub(super) fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

pub(super) fn show(bar: &ProgressBar, step: Step<'_>) {
    match step {
        Step::Planned(calls) => bar.set_length(calls as u64),
        // A server names its tools, and must not steer the terminal.
        Step::Begins(tool, name) => bar.set_message(format!("{}: {name}", tool.escape_debug())),
        Step::Called => bar.inc(1),
        _ => {}
    }
}
