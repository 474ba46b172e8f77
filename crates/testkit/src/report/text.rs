//! The report for people.

use std::fmt::Write as _;

use super::{Kind, Report, TestResult};
use crate::failure::cut;

pub(super) fn write(report: &Report) -> String {
    let mut text = String::new();
    // Writing into a `String` does not fail.
    let _ = fill(&mut text, report);
    text
}

fn fill(text: &mut String, report: &Report) -> std::fmt::Result {
    let server = &report.server;
    writeln!(text, "MCP Server Test Report\n{}", "=".repeat(50))?;
    writeln!(text, "Server: {} {} (protocol {})", cut(&server.name), cut(&server.version), server.revision)?;
    writeln!(text, "Suite: {}", cut(&report.suite))?;
    writeln!(text, "Test Date: {}", report.date())?;
    for kind in Kind::ALL {
        if report.of_kind(kind).next().is_none() {
            continue;
        }
        writeln!(text, "\n{}:", kind.title())?;
        if kind == Kind::Performance {
            report.of_kind(kind).try_for_each(|result| performance(text, result))?;
            continue;
        }
        let word = if kind == Kind::Execution { "passed" } else { "handled correctly" };
        for (tool, passed, total) in report.counts(kind) {
            writeln!(text, "  {}: {passed}/{total} {word}", cut(tool))?;
        }
    }
    for (number, (result, failure)) in report.failures().enumerate() {
        if number == 0 {
            writeln!(text, "\nFailures:")?;
        }
        writeln!(text, "\n  {}. {} > {}", number + 1, cut(&result.tool), cut(&result.name))?;
        for line in failure.to_string().lines() {
            writeln!(text, "{}", format!("     {line}").trim_end())?;
        }
    }
    for (number, note) in report.notes.iter().enumerate() {
        writeln!(text, "{}  {}", if number == 0 { "\nNotes:\n" } else { "" }, cut(note))?;
    }
    let (passed, total, seconds) = (report.passed(), report.results.len(), report.duration.as_secs_f64());
    writeln!(text, "\nResult: {passed} of {total} passed, {} failed, in {seconds:.1} s", report.failed())
}

fn performance(text: &mut String, result: &TestResult) -> std::fmt::Result {
    let Some(measured) = &result.measurement else { return Ok(()) };
    let latency = &measured.latency;
    writeln!(text, "  {} ({}):", cut(&result.tool), result.name)?;
    writeln!(text, "    Average: {:.2}ms", latency.average_ms)?;
    writeln!(text, "    Range: {:.2}ms - {:.2}ms", latency.min_ms, latency.max_ms)?;
    writeln!(
        text,
        "    Percentiles: p50 {:.2}ms, p90 {:.2}ms, p95 {:.2}ms, p99 {:.2}ms",
        latency.p50_ms, latency.p90_ms, latency.p95_ms, latency.p99_ms
    )?;
    writeln!(text, "    Throughput: {:.1} calls/s", measured.per_second)?;
    writeln!(text, "    Success Rate: {:.1}%", measured.success_rate() * 100.0)
}
