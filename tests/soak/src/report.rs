//! What the user reads.
#![expect(clippy::print_stdout, reason = "this module is the place for it")]

use std::io::{self, Write};

use towline_soak::{Error, Sample};

use crate::args::{Load, Steady};
use crate::client::Tally;
use crate::steady::{Held, Interval};

pub(crate) fn begin(load: &Load) {
    println!("{} connections for {} s, after a warm-up\n", load.connections, load.duration.as_secs());
    println!(
        "{:<20} {:>9} {:>9} {:>6} {:>9} {:>9} {:>9} {:>8} {:>8} {:>9} {:>6}",
        "",
        "RSS KiB",
        "heap KiB",
        "files",
        "answers",
        "streamed",
        "cancelled",
        "unread",
        "changes",
        "sessions",
        "wrong"
    );
}

/// `heap_kib` is told of a server that has nothing to do.
pub(crate) fn row(name: &str, sample: &Sample, heap_kib: Option<usize>, tally: &Tally) {
    let heap = heap_kib.map(|heap| heap.to_string()).unwrap_or_default();
    print!("{name:<20} {:>9} {heap:>9} {:>6}", sample.memory_kib, sample.descriptors);
    for (count, width) in tally.counts().iter().zip([9, 9, 9, 8, 8, 9, 6]) {
        print!(" {count:>width$}");
    }
    println!();
}

pub(crate) fn begin_ramp(steady: &Steady) {
    println!(
        "Mixed calls of database-server: how many it answers, then half of that for {} s\n\n{:<24} {:>9} {:>9} {:>9}",
        steady.duration.as_secs(),
        "",
        "calls/s",
        "p50 ms",
        "p99 ms"
    );
}

pub(crate) fn ramp_row(callers: usize, interval: &Interval) {
    let name = format!("{callers} callers");
    println!("{name:<24} {:>9.0} {:>9.2} {:>9.2}", interval.rate, interval.p50_ms, interval.p99_ms);
}

pub(crate) fn begin_held(rate: f64) {
    println!(
        "\nHolding {rate:.0} calls/s\n\n{:<12} {:>9} {:>9} {:>9} {:>9} {:>7} {:>9} {:>6}",
        "", "calls", "calls/s", "p50 ms", "p99 ms", "wrong", "RSS KiB", "files"
    );
}

pub(crate) fn held_row(name: &str, held: &Held, sample: &Sample) {
    let Interval { calls, rate, p50_ms, p99_ms } = held.interval;
    println!(
        "{name:<12} {calls:>9} {rate:>9.0} {p50_ms:>9.2} {p99_ms:>9.2} {:>7} {:>9} {:>6}",
        held.wrong, sample.memory_kib, sample.descriptors
    );
}

pub(crate) fn slope(kib_per_minute: f64, before: &Sample, after: &Sample) {
    println!(
        "\nMemory: {} KiB at rest before, {} KiB after; it grew by {kib_per_minute:.1} KiB a minute meanwhile.\n\
         Files: {} before, {} after.",
        before.memory_kib, after.memory_kib, before.descriptors, after.descriptors
    );
}

pub(crate) fn end(wrong: &[String]) -> Result<(), Error> {
    if wrong.is_empty() {
        println!("\nMemory and descriptors went back, and every answer came and was right.");
        return Ok(());
    }
    println!();
    for line in wrong {
        println!("{line}");
    }
    Err("the server does not stand the load".into())
}

pub(crate) fn failure(error: &dyn std::error::Error) {
    let _ = writeln!(io::stderr(), "error: {error}");
}
