//! What the user reads.
#![expect(clippy::print_stdout, reason = "this module is the place for it")]

use std::io::{self, Write};

use crate::Error;
use crate::args::Load;
use crate::client::Tally;
use crate::process::Sample;

pub(crate) fn begin(load: &Load) {
    println!("{} connections for {} s, after a warm-up\n", load.connections, load.duration.as_secs());
    println!(
        "{:<20} {:>9} {:>6} {:>9} {:>9} {:>9} {:>8} {:>8} {:>9} {:>6}",
        "", "RSS KiB", "files", "answers", "streamed", "cancelled", "unread", "changes", "sessions", "wrong"
    );
}

pub(crate) fn row(name: &str, sample: &Sample, tally: Option<&Tally>) {
    let counts = tally.map(Tally::counts).unwrap_or_default();
    print!("{name:<20} {:>9} {:>6}", sample.memory_kib, sample.descriptors);
    for (count, width) in counts.iter().zip([9, 9, 9, 8, 8, 9, 6]) {
        print!(" {count:>width$}");
    }
    println!();
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
