//! What a call costs beyond the same call without what is measured, in nanoseconds and allocations.
//!
//! A turn is a few hundred calls, so short that the machine seldom does something else meanwhile. Each turn has one of
//! the bare code right before it, and what counts is the difference between the two.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::measure::{Effort, median};

/// Makes so many calls and tells how long they took.
pub type Turn = Box<dyn FnMut(usize) -> Duration>;

/// Counts the allocations of a piece of work.
pub type Count = fn(&mut dyn FnMut()) -> u64;

/// Who wrote what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Origin {
    /// This workspace.
    Towline,
    /// The crate tower.
    Tower,
    /// The crates tower-resilience-*.
    TowerResilience,
}

impl Origin {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 3] = [Self::Towline, Self::Tower, Self::TowerResilience];

    fn name(self) -> &'static str {
        match self {
            Self::Towline => "Towline",
            Self::Tower => "tower",
            Self::TowerResilience => "tower-resilience",
        }
    }
}

/// The most that something may cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Target {
    /// In nanoseconds.
    pub ns: f64,
    /// Whether it must not allocate.
    pub no_allocations: bool,
}

/// Something that is measured.
pub struct Contender {
    /// What it does.
    pub layer: &'static str,
    /// Who wrote it.
    pub origin: Origin,
    /// It, at work.
    pub turn: Turn,
    /// What it may cost.
    pub target: Option<Target>,
}

impl std::fmt::Debug for Contender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contender")
            .field("layer", &self.layer)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// What something costs.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// What it does.
    pub layer: String,
    /// Who wrote it.
    pub origin: Origin,
    /// Nanoseconds of one call, the bare code included: the median of the rounds.
    pub ns: f64,
    /// Nanoseconds of one call beyond those of the bare code right before: the median of the rounds.
    pub ns_over_bare: f64,
    /// Allocations of one call beyond those of the bare code, where they were counted.
    pub allocations_over_bare: Option<f64>,
    /// What it may cost.
    pub target: Option<Target>,
}

/// Lets the contenders take turns, each right after the bare code.
pub fn compare(
    bare: &mut Turn,
    contenders: &mut [Contender],
    effort: Effort,
    count: Option<Count>,
) -> Vec<Cost> {
    let Effort { rounds, requests: calls } = effort;
    let per_call = |turn: &mut Turn| turn(calls).as_secs_f64() * 1e9 / calls as f64;
    // What is made once is made now.
    bare(calls);
    for contender in contenders.iter_mut() {
        (contender.turn)(calls);
    }
    let mut turns = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for step in 0..contenders.len() {
            let at = (step + round) % contenders.len();
            let bare = per_call(bare);
            let own = per_call(&mut contenders[at].turn);
            turns[at].push((own, own - bare));
        }
    }
    let allocations = |turn: &mut Turn| {
        let count = count?;
        Some(count(&mut || _ = turn(calls)) as f64 / calls as f64)
    };
    let of_bare = allocations(bare);
    let cost = |(contender, own): (&mut Contender, &Vec<(f64, f64)>)| Cost {
        layer: contender.layer.to_owned(),
        origin: contender.origin,
        ns: median(own.iter().map(|(ns, _)| *ns)),
        ns_over_bare: median(own.iter().map(|(_, over)| *over)),
        allocations_over_bare: allocations(&mut contender.turn).zip(of_bare).map(|(own, bare)| own - bare),
        target: contender.target,
    };
    contenders.iter_mut().zip(&turns).map(cost).collect()
}

/// The costs as a table: a line for each layer, a pair of columns for each origin, and whether targets were kept.
pub fn table(costs: &[Cost]) -> String {
    let mut lines = vec![["layer".to_owned(), String::new(), String::new(), String::new(), String::new()]];
    for (at, origin) in Origin::ALL.iter().enumerate() {
        lines[0][at + 1] = origin.name().to_owned();
    }
    lines[0][4] = "target".to_owned();
    for cost in costs {
        if lines.last().is_none_or(|line| line[0] != cost.layer) {
            lines.push([cost.layer.clone(), "-".into(), "-".into(), "-".into(), String::new()]);
        }
        let Some(line) = lines.last_mut() else { continue };
        let at = Origin::ALL.iter().position(|origin| *origin == cost.origin).unwrap_or_default();
        line[at + 1] = amount(cost);
        if let Some(target) = cost.target {
            line[4] = verdict(cost, target);
        }
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let _ = match column {
                0 | 4 => write!(text, "{cell:<width$}  "),
                _ => write!(text, "{cell:>width$}  "),
            };
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

fn amount(cost: &Cost) -> String {
    let allocations = match cost.allocations_over_bare {
        // A counter that is made now and then is no allocation of a call.
        Some(count) if count.abs() < 0.05 => ", 0 allocs".to_owned(),
        Some(count) => format!(", {} allocs", (count * 10.0).round() / 10.0),
        None => String::new(),
    };
    format!("{:.0} ns{allocations}", cost.ns_over_bare)
}

fn verdict(cost: &Cost, target: Target) -> String {
    let word = |kept| if kept { "kept" } else { "missed" };
    let time = format!("<= {:.0} ns: {}", target.ns, word(cost.ns_over_bare <= target.ns));
    match cost.allocations_over_bare {
        Some(count) if target.no_allocations => format!("{time}; 0 allocs: {}", word(count <= 0.0)),
        _ => time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls take that long each, and a time more with each turn, as on a machine that gets slower.
    fn slower_and_slower(ns: u64) -> Turn {
        let mut turns = 0;
        Box::new(move |calls| {
            turns += 1;
            Duration::from_nanos((ns + 1000 * turns) * calls as u64)
        })
    }

    fn contender(ns: u64, target: Target) -> Contender {
        Contender {
            layer: "layer",
            origin: Origin::Towline,
            turn: slower_and_slower(ns),
            target: Some(target),
        }
    }

    #[test]
    fn a_cost_is_the_difference_to_the_bare_code_of_the_same_round() {
        let target = Target { ns: 250.0, no_allocations: true };
        let mut contenders = [contender(300, target)];
        let mut bare = slower_and_slower(100);
        let costs = compare(
            &mut bare,
            &mut contenders,
            Effort { rounds: 9, requests: 10 },
            Some(|work| {
                work();
                0
            }),
        );
        assert!((costs[0].ns_over_bare - 200.0).abs() < 0.01, "{costs:?}");
        assert_eq!(costs[0].allocations_over_bare, Some(0.0));
        let table = table(&costs);
        assert!(table.contains("200 ns, 0 allocs"), "{table}");
        assert!(table.contains("<= 250 ns: kept; 0 allocs: kept"), "{table}");
    }

    #[test]
    fn a_target_that_is_missed_is_said_so() {
        let cost = Cost {
            layer: "layer".into(),
            origin: Origin::Towline,
            ns: 400.0,
            ns_over_bare: 300.0,
            allocations_over_bare: Some(1.0),
            target: Some(Target { ns: 250.0, no_allocations: true }),
        };
        let table = table(&[cost]);
        assert!(table.contains("300 ns, 1 allocs"), "{table}");
        assert!(table.contains("<= 250 ns: missed; 0 allocs: missed"), "{table}");
    }
}
