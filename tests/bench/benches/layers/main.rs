//! What each layer adds to a call, beside the layers of tower and tower-resilience that do the same.
//!
//! Every layer is put around the same service, whose answer is ready at once and which does not allocate. A call is
//! `poll_ready`, `call` and one poll of the future (more only where another thread holds a lock), without a runtime's
//! scheduler. The settings are the defaults, except for limits, which are so wide that they never refuse. Allocations
//! are counted by an allocator that makes each some nanoseconds dearer than it is without.
//!
//! Options: `--quick` for a second or two, `--save FILE` for the figures as JSON (beside FILE, as `FILE.layers`), and
//! `layers`, `stack`, `cache` or `contended` for that part alone.

mod others;
mod towline;

use std::fs;

use towline_bench::cost::{Contender, Cost, Turn, compare, table};
use towline_bench::measure::Effort;
use towline_bench::service::{Bare, alone, contended, tool_call};
use towline_bench::{Error, report};

fn main() -> Result<(), Error> {
    let options = Options::parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    // Timers are made and never waited for.
    let _inside = runtime.enter();
    let mut all = Vec::new();
    if options.runs("layers") {
        let mut contenders = towline::layers(&runtime)?;
        contenders.extend(others::layers()?);
        side_by_side(&mut contenders);
        let costs = options.compare(&mut alone(Bare, tool_call()), &mut contenders);
        report::line(
            "\nOne call over the bare service (tower's RateLimit cannot be cloned, so no two connections share it)",
        )?;
        print(&costs, &mut all)?;
    }
    if options.runs("stack") {
        let (mut bare, mut contenders) = towline::servers()?;
        let costs = options.compare(&mut bare, &mut contenders);
        report::line("\nOne `tools/call` of a tool that says a line again, over the server without layers")?;
        print(&costs, &mut all)?;
    }
    if options.runs("cache") {
        let mut contenders = towline::tools(&runtime)?;
        let costs = options.compare(&mut alone(Bare, tool_call()), &mut contenders);
        report::line("\nA tool that makes 2 KB of JSON, and its answer from the cache")?;
        print(&costs, &mut all)?;
    }
    if options.runs("contended") {
        let mut contenders = towline::contended();
        contenders.extend(others::contended()?);
        side_by_side(&mut contenders);
        // Long turns: threads that begin one after the other are to meet.
        let effort =
            Effort { rounds: options.effort.rounds.div_ceil(10), requests: options.effort.requests * 20 };
        let costs = compare(&mut contended(Bare), &mut contenders, effort, None);
        report::line("\nOne call while another thread makes the same calls, over the bare service")?;
        print(&costs, &mut all)?;
    }
    match options.save {
        Some(path) if !all.is_empty() => Ok(fs::write(path + ".layers", serde_json::to_vec_pretty(&all)?)?),
        _ => Ok(()),
    }
}

/// Puts those together that do the same, in the order of the first of each.
fn side_by_side(contenders: &mut [Contender]) {
    let order: Vec<_> = contenders.iter().map(|contender| contender.layer).collect();
    contenders.sort_by_key(|contender| order.iter().position(|layer| *layer == contender.layer));
}

fn print(costs: &[Cost], all: &mut Vec<Cost>) -> Result<(), Error> {
    all.extend_from_slice(costs);
    Ok(report::line(&table(costs))?)
}

struct Options {
    effort: Effort,
    parts: Vec<String>,
    save: Option<String>,
}

impl Options {
    const FULL: Effort = Effort { rounds: 1001, requests: 500 };
    const QUICK: Effort = Effort { rounds: 101, requests: 500 };
    /// Cargo runs benchmarks as tests, too: then they only have to work.
    const TEST: Effort = Effort { rounds: 1, requests: 16 };

    fn parse() -> Result<Self, Error> {
        use lexopt::prelude::*;
        let mut options = Self { effort: Self::TEST, parts: Vec::new(), save: None };
        let mut quick = std::env::var_os("TOWLINE_BENCH_QUICK").is_some();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("bench") => options.effort = Self::FULL,
                Long("quick") => quick = true,
                Long("save") => options.save = Some(parser.value()?.string()?),
                // A part of another benchmark is none of this one.
                Value(part) => options.parts.push(part.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        if quick && options.effort.rounds > Self::QUICK.rounds {
            options.effort = Self::QUICK;
        }
        Ok(options)
    }

    fn runs(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|other| other == part)
    }

    fn compare(&self, bare: &mut Turn, contenders: &mut [Contender]) -> Vec<Cost> {
        compare(bare, contenders, self.effort, Some(|work| allocation_counter::measure(work).count_total))
    }
}
