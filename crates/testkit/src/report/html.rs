//! The report as one page.

use std::fmt::Write as _;

use super::{Kind, Report, chart, escape};

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root{color-scheme:light dark;--good:#2e8540;--bad:#c22;--bar:#3b6fb6;--line:#8888}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
svg{width:100%;max-width:40rem;height:auto;display:block}svg text{font-size:13px;fill:currentColor}
.pass{fill:var(--good);color:var(--good)}.fail{fill:var(--bad);color:var(--bad)}.bar{fill:var(--bar)}
.mark{stroke:currentColor;stroke-dasharray:3}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);padding:.25rem .5rem;text-align:left}
pre{overflow:auto;max-height:24rem;padding:.75rem;border:1px solid var(--line);white-space:pre-wrap;overflow-wrap:anywhere}
</style>
"#;

pub(super) fn write(report: &Report) -> String {
    let mut page = String::from(HEAD);
    // Writing into a `String` does not fail.
    let _ = fill(&mut page, report);
    page
}

fn fill(page: &mut String, report: &Report) -> std::fmt::Result {
    let server = &report.server;
    let name = escape(&server.name);
    writeln!(
        page,
        "<title>MCP Server Test Report: {name}</title></head><body><h1>MCP Server Test Report</h1>"
    )?;
    let (passed, failed) = (report.passed(), report.failed());
    let verdict = if failed == 0 { "pass" } else { "fail" };
    writeln!(
        page,
        "<p>{name} {} · protocol {} · suite {} · {}</p><p class=\"{verdict}\"><strong>{passed} passed, {failed} failed</strong> in {:.1} s</p>",
        escape(&server.version),
        escape(&server.revision),
        escape(&report.suite),
        report.date(),
        report.duration.as_secs_f64(),
    )?;
    let rows: Vec<_> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let counts = report.counts(kind);
            let sum = |which: fn(&(&str, usize, usize)) -> usize| counts.iter().map(which).sum();
            (kind.title(), sum(|count| count.1), sum(|count| count.2))
        })
        .filter(|(.., total)| *total > 0)
        .collect();
    writeln!(page, "<h2>Results</h2>{}", chart::results(&rows))?;
    latencies(page, report)?;
    if failed > 0 {
        writeln!(page, "<h2>Failures</h2>")?;
    }
    for (result, failure) in report.failures() {
        writeln!(
            page,
            "<details><summary><span class=\"fail\">✗</span> {} › {}: {}</summary><pre>{}</pre></details>",
            escape(&result.tool),
            escape(&result.name),
            escape(&failure.reason),
            escape(&failure.to_string()),
        )?;
    }
    for kind in Kind::ALL {
        let counts = report.counts(kind);
        if counts.is_empty() {
            continue;
        }
        writeln!(
            page,
            "<details><summary>{}</summary><table><tr><th>Tool<th>Test<th>Time<th>Result",
            kind.title()
        )?;
        for result in report.of_kind(kind) {
            let (class, word) =
                if result.failure.is_some() { ("fail", "failed") } else { ("pass", "passed") };
            writeln!(
                page,
                "<tr><td>{}<td>{}<td>{:.1} ms<td class=\"{class}\">{word}",
                escape(&result.tool),
                escape(&result.name),
                result.duration_ms
            )?;
        }
        writeln!(page, "</table></details>")?;
    }
    for (number, note) in report.notes.iter().enumerate() {
        writeln!(page, "{}<p>{}</p>", if number == 0 { "<h2>Notes</h2>" } else { "" }, escape(note))?;
    }
    writeln!(page, "</body></html>")
}

fn latencies(page: &mut String, report: &Report) -> std::fmt::Result {
    for result in report.of_kind(Kind::Performance) {
        let Some(measured) = &result.measurement else { continue };
        writeln!(
            page,
            "<h2>Latency of {}</h2><p>{}, {:.1} calls/s, {:.1} % succeeded</p>{}",
            escape(&result.tool),
            escape(&result.name),
            measured.per_second,
            measured.success_rate() * 100.0,
            chart::latency(&result.tool, measured),
        )?;
    }
    Ok(())
}
