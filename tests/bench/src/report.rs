//! What people read.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use crate::measure::Row;

/// Prints a line at once.
///
/// # Errors
///
/// When nobody reads it.
pub fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// The rows as a table. The first contender of each workload is what the others are measured by.
pub fn table(rows: &[Row]) -> String {
    let headers = ["", "", "CPU/call", "x bare", "calls/s", "x bare", "p50", "p99", "target"];
    let mut cells = vec![headers.map(String::from)];
    let mut workload = "";
    for row in rows {
        let first = std::mem::replace(&mut workload, &row.workload) != row.workload;
        if first {
            cells.push(Default::default());
        }
        cells.push([
            if first { row.workload.clone() } else { String::new() },
            row.contender.clone(),
            micros(row.cpu_us),
            ratio(row.cpu_ratio),
            format!("{:.0}", row.calls_per_second),
            ratio(row.throughput_ratio),
            micros(row.p50_us),
            micros(row.p99_us),
            target(row),
        ]);
    }
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 9] = std::array::from_fn(width);
    let mut out = String::new();
    for row in &cells {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _ = match column {
                0 | 1 | 8 => write!(line, "{cell:<width$}  "),
                _ => write!(line, "{cell:>width$}  "),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn micros(value: f64) -> String {
    if value.is_finite() && value > 0.0 { format!("{value:.1} us") } else { "-".into() }
}

fn ratio(value: f64) -> String {
    if value.is_finite() { format!("{value:.2}") } else { "-".into() }
}

fn target(row: &Row) -> String {
    let Some(target) = row.target else { return String::new() };
    let (kept, sign) = if row.cpu_ratio.is_finite() {
        (row.cpu_ratio <= target, "CPU <=")
    } else {
        (row.throughput_ratio >= target, "calls >=")
    };
    format!("{sign} {target:.2}: {}", if kept { "kept" } else { "missed" })
}
