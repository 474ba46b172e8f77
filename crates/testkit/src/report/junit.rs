//! The report for CI systems.

use std::fmt::Write as _;

use super::{Kind, Report, escape};

pub(super) fn write(report: &Report) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing into a `String` does not fail.
    let _ = fill(&mut xml, report);
    xml
}

fn fill(xml: &mut String, report: &Report) -> std::fmt::Result {
    let (total, failed) = (report.results.len(), report.failed());
    let (name, time) = (escape(&report.suite), report.duration.as_secs_f64());
    writeln!(
        xml,
        "<testsuites name=\"{name}\" tests=\"{total}\" failures=\"{failed}\" errors=\"0\" time=\"{time:.3}\">"
    )?;
    for kind in Kind::ALL {
        let results: Vec<_> = report.of_kind(kind).collect();
        if results.is_empty() {
            continue;
        }
        let failed = results.iter().filter(|result| result.failure.is_some()).count();
        let time: f64 = results.iter().map(|result| result.duration_ms / 1000.0).sum();
        writeln!(
            xml,
            "  <testsuite name=\"{}\" timestamp=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\" time=\"{time:.3}\">",
            kind.title(),
            report.date(),
            results.len()
        )?;
        for result in results {
            let (tool, name, time) =
                (escape(&result.tool), escape(&result.name), result.duration_ms / 1000.0);
            write!(xml, "    <testcase classname=\"{tool}\" name=\"{name}\" time=\"{time:.3}\"")?;
            match &result.failure {
                None => writeln!(xml, "/>")?,
                Some(failure) => {
                    let (reason, all) = (escape(&failure.reason), escape(&failure.to_string()));
                    // A line end in an attribute is read as a space.
                    let reason = reason.replace('\n', "&#10;");
                    writeln!(xml, ">\n      <failure message=\"{reason}\">{all}</failure>\n    </testcase>")?;
                }
            }
        }
        writeln!(xml, "  </testsuite>")?;
    }
    writeln!(xml, "</testsuites>")
}
