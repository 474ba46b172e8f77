//! Rounds of short batches, in which the contenders take turns.

use std::time::Duration;

use serde::Serialize;

use crate::Error;
use crate::load::Batch;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How often each contender has its turn.
    pub rounds: usize,
    /// The requests of one turn.
    pub requests: usize,
}

/// What one turn took.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// The server's CPU time for all requests.
    pub cpu: Duration,
    /// What the client saw.
    pub batch: Batch,
}

/// What a contender took, over all rounds.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was asked for, and how.
    pub workload: String,
    /// Who answered.
    pub contender: String,
    /// The server's CPU time of one call in microseconds: the median of the rounds.
    pub cpu_us: f64,
    /// CPU time as a multiple of the first contender's in the same round: the median of the rounds.
    pub cpu_ratio: f64,
    /// Calls per second: the median of the rounds.
    pub calls_per_second: f64,
    /// Calls per second as a multiple of the first contender's in the same round: the median of the rounds.
    pub throughput_ratio: f64,
    /// The median latency in microseconds, over all calls.
    pub p50_us: f64,
    /// The latency in microseconds that one call in a hundred exceeds.
    pub p99_us: f64,
    /// The most that `cpu_ratio`, or where no CPU time counts the least that `throughput_ratio`, should be.
    pub target: Option<f64>,
}

/// Lets the contenders take turns at one workload.
///
/// # Errors
///
/// Those of `turn`, which lets one contender, by its place in `contenders`, answer so many requests.
pub fn compare(
    workload: &str,
    contenders: &[&str],
    effort: Effort,
    mut turn: impl FnMut(usize, usize) -> Result<Turn, Error>,
) -> Result<Vec<Row>, Error> {
    for at in 0..contenders.len() {
        turn(at, effort.requests)?;
    }
    let mut turns: Vec<Vec<Turn>> = vec![Vec::new(); contenders.len()];
    for round in 0..effort.rounds {
        for step in 0..contenders.len() {
            // Whoever is first in a round is so in turn, too.
            let at = (step + round) % contenders.len();
            turns[at].push(turn(at, effort.requests)?);
        }
    }
    let row = |(contender, own): (&&str, &Vec<Turn>)| Row {
        workload: workload.to_owned(),
        contender: (*contender).to_owned(),
        cpu_us: median(own.iter().map(cpu_us)),
        cpu_ratio: median(own.iter().zip(&turns[0]).map(|(own, first)| cpu_us(own) / cpu_us(first))),
        calls_per_second: median(own.iter().map(throughput)),
        throughput_ratio: median(
            own.iter().zip(&turns[0]).map(|(own, first)| throughput(own) / throughput(first)),
        ),
        p50_us: quantile(own, 0.50),
        p99_us: quantile(own, 0.99),
        target: None,
    };
    Ok(contenders.iter().zip(&turns).map(row).collect())
}

fn cpu_us(turn: &Turn) -> f64 {
    turn.cpu.as_secs_f64() * 1e6 / turn.batch.latencies.len() as f64
}

fn throughput(turn: &Turn) -> f64 {
    turn.batch.latencies.len() as f64 / turn.batch.elapsed.as_secs_f64()
}

/// The value in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

fn quantile(turns: &[Turn], quantile: f64) -> f64 {
    let mut latencies: Vec<Duration> = turns.iter().flat_map(|turn| &turn.batch.latencies).copied().collect();
    latencies.sort_unstable();
    // Exact enough, and within bounds: a quantile is at most one.
    let at = (latencies.len().saturating_sub(1) as f64 * quantile) as usize;
    latencies.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(cpu: u64, each: u64) -> Turn {
        let latencies = vec![Duration::from_micros(each); 10];
        Turn {
            cpu: Duration::from_micros(cpu),
            batch: Batch { elapsed: Duration::from_micros(10 * each), latencies },
        }
    }

    #[test]
    fn a_ratio_is_that_of_one_round() {
        // The machine is three times slower in the last two rounds; the second contender takes twice as long.
        let cpu = [[100, 200], [300, 600], [300, 600]];
        let mut round = [0; 2];
        let rows = compare("echo", &["first", "second"], Effort { rounds: 2, requests: 10 }, |at, _| {
            let turn = turn(cpu[round[at]][at], 5);
            round[at] += 1;
            Ok(turn)
        })
        .unwrap();
        assert_eq!((rows[0].cpu_ratio, rows[1].cpu_ratio), (1.0, 2.0));
        assert_eq!((rows[0].cpu_us, rows[1].cpu_us), (30.0, 60.0));
        assert_eq!((rows[1].p50_us, rows[1].calls_per_second), (5.0, 200_000.0));
    }

    #[test]
    fn medians_and_quantiles() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        let turns = [turn(1, 1), turn(1, 9)];
        assert_eq!((quantile(&turns, 0.25), quantile(&turns, 0.99)), (1.0, 9.0));
    }
}
