//! The statements of an analysis: two passes over the rows, whatever the number of columns.

use std::fmt::Write as _;

use super::class::{Class, Source};
use super::measure::Span;

/// Most common values per column, and buckets of a histogram.
pub(super) const MOST_COMMON: usize = 10;
pub(super) const BUCKETS: u32 = 10;

/// Characters of a value that are shown.
pub(super) const SHOWN: usize = 100;

/// Settings under which everything here runs: names of ours mean PostgreSQL's own, values look
/// the same everywhere, and sorting stays within `work_mem_kb` for each of many columns.
pub(super) fn settings(work_mem_kb: u64) -> String {
    format!(
        "SELECT pg_catalog.set_config(s.name, s.value, true) FROM (VALUES ('search_path', 'pg_catalog'), \
         ('timezone', 'UTC'), ('datestyle', 'ISO, YMD'), ('intervalstyle', 'iso_8601'), \
         ('extra_float_digits', '1'), ('bytea_output', 'hex'), ('work_mem', '{work_mem_kb}kB'), \
         ('jit', 'off')) AS s (name, value)"
    )
}

/// The columns as `v0`, `v1`, .. and what is compared of them as `w0`, `w1`, ..
///
/// `from` is the relation with its sample clause, `limit` bounds the rows instead.
fn rows(columns: &[&Source], from: &str, limit: Option<u64>) -> String {
    let mut values = String::new();
    for (at, column) in columns.iter().enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(values, "{comma}{} AS v{at}", column.value);
    }
    let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
    let mut compared = String::new();
    for (at, column) in columns.iter().enumerate() {
        let _ = write!(compared, ", {} AS w{at}", column.compared(&format!("v{at}")));
    }
    format!("(SELECT *{compared} FROM (SELECT {values} FROM {from}{limit}) AS r) AS s")
}

/// The first pass: a JSON object for each column, after the number of rows.
pub(super) fn measures(columns: &[&Source], from: &str, limit: Option<u64>) -> String {
    let mut select = "SELECT pg_catalog.count(*)".to_owned();
    for (at, column) in columns.iter().enumerate() {
        let members: Vec<String> =
            members(column.class, at).into_iter().map(|(name, value)| format!("'{name}', {value}")).collect();
        let _ = write!(select, ", pg_catalog.json_build_object({})::text", members.join(", "));
    }
    format!("{select} FROM {}", rows(columns, from, limit))
}

/// What the first pass measures, by the names that [`super::measure::Measure`] reads.
fn members(class: Class, at: usize) -> Vec<(&'static str, String)> {
    use Class as C;
    let (v, w) = (format!("v{at}"), format!("w{at}"));
    let mut members = vec![("values", format!("pg_catalog.count({v})"))];
    if class != C::Opaque {
        members.push(("compared", format!("pg_catalog.count({w})")));
        // NaN and infinity are values, too.
        let all = if class.may_be_infinite() { &v } else { &w };
        members.push(("distinct", format!("pg_catalog.count(DISTINCT {all})")));
    }
    match class {
        C::Integer
        | C::Numeric
        | C::Float
        | C::Date
        | C::Timestamp
        | C::TimestampTz
        | C::Time
        | C::Interval => {
            members.push(("min", format!("pg_catalog.min({w})::text")));
            members.push(("max", format!("pg_catalog.max({w})::text")));
            members.push((
                "percentiles",
                format!(
                    "(pg_catalog.percentile_disc(ARRAY[0.05, 0.25, 0.5, 0.75, 0.95]) WITHIN GROUP (ORDER BY {w}))::text[]"
                ),
            ));
            let number = class.as_number(&w);
            members.push(("low", format!("pg_catalog.min({number})::text")));
            members.push(("high", format!("pg_catalog.max({number})::text")));
        }
        // Not every such type has min and max; and a cast to text adds to an address its own length.
        C::Ordered => members.push((
            "percentiles",
            format!(
                "pg_catalog.to_json(pg_catalog.percentile_disc(ARRAY[0.0, 1.0]) WITHIN GROUP (ORDER BY {w}))"
            ),
        )),
        C::Text => {
            members.push(("min", format!("pg_catalog.left(pg_catalog.min({w})::text, {})", SHOWN + 1)));
            members.push(("max", format!("pg_catalog.left(pg_catalog.max({w})::text, {})", SHOWN + 1)));
            let length = format!("pg_catalog.length({w}::text)");
            members.extend(lengths(&length));
            members.push(("bytes", format!("pg_catalog.max(pg_catalog.octet_length({v}::text))")));
        }
        C::Large | C::Opaque => members.extend(lengths(&format!("pg_catalog.pg_column_size({v})"))),
        C::Boolean | C::Small => {}
    }
    match class {
        C::Integer => members.extend(moments(&w, "")),
        // A double holds up to 1.8e308, and the sum of squares must fit.
        C::Numeric => {
            members.extend(moments(&w, &format!(" FILTER (WHERE pg_catalog.abs({w}) < 1e150)")));
            members.push((
                "extreme",
                format!("pg_catalog.count(*) FILTER (WHERE pg_catalog.abs({w}) >= 1e150)"),
            ));
        }
        C::Float => {
            let filter = format!(" FILTER (WHERE pg_catalog.abs({w}::float8) < 1e150)");
            members.extend(moments(&w, &filter));
            members.push((
                "extreme",
                format!("pg_catalog.count(*) FILTER (WHERE pg_catalog.abs({w}::float8) >= 1e150)"),
            ));
        }
        C::Interval => members.push(("mean", format!("pg_catalog.avg({w})::text"))),
        _ => {}
    }
    if matches!(class, C::Numeric | C::Float) {
        members.push(("nan", format!("pg_catalog.count(*) FILTER (WHERE {v} = 'NaN')")));
    }
    // Before PostgreSQL 17 an interval is always finite, and `infinity` no interval.
    if class.may_be_infinite() && class != C::Interval {
        for (name, value) in [("infinity", "infinity"), ("minus_infinity", "-infinity")] {
            members.push((name, format!("pg_catalog.count(*) FILTER (WHERE {v} = '{value}')")));
        }
    }
    members
}

fn lengths(length: &str) -> [(&'static str, String); 3] {
    [
        ("length_min", format!("pg_catalog.min({length})")),
        ("length_max", format!("pg_catalog.max({length})")),
        ("length_mean", format!("pg_catalog.avg({length})::float8")),
    ]
}

fn moments(w: &str, filter: &str) -> [(&'static str, String); 2] {
    [
        ("mean", format!("(pg_catalog.avg({w}){filter})::float8::text")),
        ("deviation", format!("(pg_catalog.stddev_samp({w}){filter})::float8::text")),
    ]
}

/// What the second pass counts for one column.
pub(super) struct Count<'a> {
    pub(super) source: &'a Source,
    pub(super) most_common: bool,
    pub(super) span: Option<&'a Span>,
}

/// The second pass: `(column * 2, value, rows)` of the most common values, and
/// `(column * 2 + 1, bucket, rows)` of the histograms, with buckets from 1.
pub(super) fn counts(columns: &[Count<'_>], from: &str, limit: Option<u64>) -> Option<String> {
    let mut values = Vec::new();
    for (at, Count { source, most_common, span }) in columns.iter().enumerate() {
        let w = format!("w{at}");
        if *most_common {
            // Equal numbers may be written differently: 1.0 and 1.00.
            let text = match source.class {
                Class::Numeric => format!("pg_catalog.trim_scale({w})::text"),
                Class::Ordered => format!("CASE WHEN {w} IS NOT NULL THEN pg_catalog.concat({w}) END"),
                _ => format!("{w}::text"),
            };
            values.push(format!("({}, {text})", at * 2));
        }
        if let Some(span) = span {
            let number = source.class.as_number(&w);
            values.push(format!("({}, ({})::text)", at * 2 + 1, span.bucket(&number)));
        }
    }
    if values.is_empty() {
        return None;
    }
    let sources: Vec<&Source> = columns.iter().map(|count| count.source).collect();
    Some(format!(
        "SELECT g.k, pg_catalog.left(g.value, {}), g.n FROM (\
         SELECT u.k, u.value, pg_catalog.count(*) AS n, pg_catalog.row_number() OVER (\
         PARTITION BY u.k ORDER BY pg_catalog.count(*) DESC, u.value COLLATE \"C\") AS place \
         FROM {} CROSS JOIN LATERAL (VALUES {}) AS u (k, value) WHERE u.value IS NOT NULL GROUP BY u.k, u.value) AS g \
         WHERE g.place <= {MOST_COMMON} OR g.k % 2 = 1 ORDER BY g.k, g.place",
        SHOWN + 1,
        rows(&sources, from, limit),
        values.join(", ")
    ))
}

/// The bounds of histograms as values of their columns' types: an array for each.
pub(super) fn bounds(spans: &[(Class, &Span)]) -> Option<String> {
    let arrays: Vec<String> = spans
        .iter()
        .map(|(class, span)| {
            let x = span.bound("i");
            let value = class.number_as_value(&x);
            format!(
                "ARRAY(SELECT {value} FROM pg_catalog.generate_series(0, {}) AS g (i) ORDER BY g.i)",
                span.buckets()
            )
        })
        .collect();
    (!arrays.is_empty()).then(|| format!("SELECT {}", arrays.join(", ")))
}
