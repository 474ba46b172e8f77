//! Charts as inline SVG.

use std::fmt::Write as _;

use super::escape;
use crate::measure::Measurement;

const WIDTH: f64 = 640.0;
const BARS: usize = 40;

/// For each row a bar of what passed and what failed.
pub(super) fn results(rows: &[(&str, usize, usize)]) -> String {
    let most = rows.iter().map(|(.., total)| *total).max().unwrap_or(1).max(1);
    let height = 28 * rows.len();
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Results\">");
    for (row, (name, passed, total)) in rows.iter().enumerate() {
        let y = 28 * row;
        let length = |count: usize| 380.0 * share(count, most);
        let (good, bad) = (length(*passed), length(total - passed));
        let _ = write!(
            svg,
            "<text x=\"0\" y=\"{}\">{}</text><rect class=\"pass\" x=\"170\" y=\"{y}\" width=\"{good:.1}\" height=\"20\"/>\
             <rect class=\"fail\" x=\"{:.1}\" y=\"{y}\" width=\"{bad:.1}\" height=\"20\"/>\
             <text x=\"{:.1}\" y=\"{}\">{passed}/{total}</text>",
            y + 15,
            escape(name),
            170.0 + good,
            178.0 + good + bad,
            y + 15,
        );
    }
    svg + "</svg>"
}

/// How many calls took how long, with the median and the 95th percentile.
pub(super) fn latency(name: &str, measured: &Measurement) -> String {
    let latency = &measured.latency;
    let (low, high) = (latency.min_ms, latency.max_ms.max(latency.min_ms + 0.001));
    let place = |value: f64| (value - low) / (high - low);
    let mut counts = [0_usize; BARS];
    for sample in &measured.samples_ms {
        // The last bar holds its upper end too.
        let bar = (1..BARS).take_while(|bar| place(*sample) >= share(*bar, BARS)).count();
        counts[bar] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} 190\" role=\"img\" aria-label=\"Latency of {}\">", escape(name));
    let step = WIDTH / 40.0;
    for (bar, count) in counts.iter().enumerate() {
        let (height, x) = (120.0 * share(*count, most), WIDTH * share(bar, BARS));
        let _ = write!(
            svg,
            "<rect class=\"bar\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{count} calls</title></rect>",
            150.0 - height,
            step - 1.0,
        );
    }
    for (label, value, y) in [("p50", latency.p50_ms, 12), ("p95", latency.p95_ms, 26)] {
        let x = WIDTH * place(value);
        let anchor = if x > WIDTH / 2.0 { "end" } else { "start" };
        let _ = write!(
            svg,
            "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{y}\" y2=\"150\"/>\
             <text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{label} {value:.2} ms</text>"
        );
    }
    let _ = write!(
        svg,
        "<text x=\"0\" y=\"168\">{low:.2} ms</text><text x=\"{WIDTH}\" y=\"168\" text-anchor=\"end\">{high:.2} ms</text></svg>"
    );
    svg
}

#[expect(clippy::cast_precision_loss, reason = "counts of tests are small")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
