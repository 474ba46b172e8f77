//! Carries out an analysis on one connection.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_postgres::Row;
use towline_core::Context;

use super::MAX_COLUMNS;
use super::class::{Class, MAX_COMPARED, Source as Values};
use super::measure::{Measure, Span};
use super::model::{
    Bucket, Certainty, ColumnAnalysis, Common, Lengths, NotFinite, Percentiles, Scalar, Source, TableAnalysis,
};
use super::sql::{self, Count, SHOWN};
use crate::error::{PostgresError, SqlError};
use crate::pool::ReadOnly;
use crate::relation::{Relation, cut, quoted};
use crate::tools::table_schema::{Column, TableSchema};
use crate::tools::text::Thousands;

/// Tables with more rows are sampled unless the caller says otherwise.
const MAX_ROWS: u64 = 100_000;
/// Rows in a sample unless the caller says otherwise.
const SAMPLE_ROWS: u64 = 50_000;
/// Pages that are read at most unless the caller says otherwise: 512 MB.
const MAX_PAGES: u64 = 65_536;
/// Memory for sorting, shared by all columns.
const SORT_KB: u64 = 64 * 1024;

/// One analysis.
pub(super) struct Run<'a> {
    pub(super) session: &'a ReadOnly,
    pub(super) context: &'a Context,
    pub(super) schema: &'a TableSchema,
    pub(super) relation: &'a Relation,
}

/// Which rows are read.
#[derive(Clone, Debug)]
struct Rows {
    /// The relation, with its sample clause.
    from: String,
    limit: Option<u64>,
    source: Source,
}

/// The columns that are to be analyzed: those that the caller names, or the first.
pub(super) fn wanted<'a>(
    schema: &'a TableSchema,
    names: Option<&[String]>,
) -> Result<Vec<&'a Column>, String> {
    let Some(names) = names else {
        return Ok(schema.columns.iter().take(MAX_COLUMNS).collect());
    };
    let mut wanted: Vec<&Column> = Vec::new();
    for name in names {
        let plain = name.trim_matches('"').replace("\"\"", "\"");
        let mut alike = schema.columns.iter().filter(|column| column.name.eq_ignore_ascii_case(name));
        let column = schema
            .column(name)
            .or_else(|| schema.column(&plain))
            .or_else(|| alike.next().filter(|_| alike.next().is_none()));
        let Some(column) = column else {
            let known: Vec<&str> =
                schema.columns.iter().take(100).map(|column| column.name.as_str()).collect();
            let more = if schema.columns.len() > known.len() { ", .." } else { "" };
            let (table, name) = (&schema.table, cut(name));
            return Err(format!("table {table} has no column `{name}`; it has: {}{more}", known.join(", ")));
        };
        if !wanted.iter().any(|known| known.name == column.name) {
            wanted.push(column);
        }
    }
    Ok(wanted)
}

impl Run<'_> {
    pub(super) async fn analyze(
        &self,
        wanted: &[&Column],
        sample: Option<u32>,
    ) -> Result<TableAnalysis, PostgresError> {
        let work_mem_kb = (SORT_KB / (wanted.len() as u64 * 2).max(1)).clamp(1024, 16 * 1024);
        self.session.rows(&sql::settings(work_mem_kb), &[]).await?;

        let mut rows = self.rows_to_read(sample);
        self.context.progress(0.0, Some(3.0), Some("reading the table")).await;
        let sources: Vec<Values> = wanted.iter().map(|column| Values::of(column)).collect();
        let all: Vec<usize> = (0..wanted.len()).collect();
        let (mut rows_read, mut measures) = self.measure(&sources, &all, &rows).await?;
        if rows_read == 0 && rows.source == Source::RandomSample {
            // The statistics are older than the table's contents.
            rows = self.first_rows(SAMPLE_ROWS);
            (rows_read, measures) = self.measure(&sources, &all, &rows).await?;
        }
        let limit = rows.limit.filter(|limit| rows_read < *limit);
        if limit.is_some() {
            rows.source = Source::AllRows;
        }

        let spans: Vec<Option<Span>> = measures
            .iter()
            .zip(&sources)
            .map(|(measure, source)| measure.as_ref().ok().and_then(|measure| measure.span(source.class)))
            .collect();
        let mut columns: Vec<ColumnAnalysis> = wanted
            .iter()
            .zip(&sources)
            .zip(&measures)
            .map(|((column, source), measure)| first_half(column, source.class, measure, rows_read))
            .collect();
        if rows.source != Source::AllRows {
            self.estimate_distinct(wanted, &mut columns);
        }
        self.count(&sources, &measures, &spans, &rows, rows_read, &mut columns).await?;
        self.context.progress(3.0, Some(3.0), Some("done")).await;

        let (row_count, row_count_is) = self.row_count(&rows, rows_read);
        let left_out =
            self.schema.columns.iter().filter(|column| !wanted.iter().any(|w| w.name == column.name));
        Ok(TableAnalysis {
            table: self.schema.table.clone(),
            row_count,
            row_count_is,
            rows_read,
            source: rows.source,
            column_count: self.schema.columns.len(),
            columns_left_out: left_out.map(|column| column.name.clone()).collect(),
            columns,
        })
    }

    /// Chooses the rows: all of a small table, random pages of a large one, the first rows of what
    /// has no pages.
    fn rows_to_read(&self, sample: Option<u32>) -> Rows {
        let table = format!("{}.{}", quoted(&self.relation.schema), quoted(&self.schema.name));
        let storage = &self.schema.storage;
        let all = Rows { from: table.clone(), limit: None, source: Source::AllRows };
        if sample == Some(0) {
            return all;
        }
        let most = sample.map_or(MAX_ROWS, u64::from);
        if storage.can_sample != Some(true) {
            return self.first_rows(most);
        }
        let rows = storage.rows_now.unwrap_or(0);
        let pages = storage.pages.unwrap_or(0);
        let mut share: f64 = 1.0;
        if rows > most {
            share = sample.map_or(SAMPLE_ROWS, u64::from) as f64 / rows as f64;
        }
        if sample.is_none() && pages > MAX_PAGES {
            share = share.min(MAX_PAGES as f64 / pages as f64);
        }
        if share >= 1.0 {
            return all;
        }
        let percent = (share * 100.0).max(0.000_1);
        // The same seed chooses the same pages in both passes, and in the next call.
        let from = format!("{table} TABLESAMPLE SYSTEM ({percent:.6}) REPEATABLE (1)");
        Rows { from, limit: None, source: Source::RandomSample }
    }

    fn first_rows(&self, most: u64) -> Rows {
        let from = format!("{}.{}", quoted(&self.relation.schema), quoted(&self.schema.name));
        // One more tells whether these are all.
        Rows { from, limit: Some(most + 1), source: Source::FirstRows }
    }

    /// The first pass. A column whose values make the statement fail is found by halving; for it
    /// stands the reason.
    async fn measure(
        &self,
        sources: &[Values],
        at: &[usize],
        rows: &Rows,
    ) -> Result<(u64, Vec<Result<Measure, String>>), PostgresError> {
        let columns: Vec<&Values> = at.iter().map(|at| &sources[*at]).collect();
        let statement = sql::measures(&columns, &rows.from, rows.limit);
        let savepoint = self.session.savepoint().await?;
        let answer = self.watched(1.0, "measuring columns", self.session.rows(&statement, &[])).await;
        match answer {
            Ok(answer) => Ok(measures(&answer, columns.len())),
            Err(PostgresError::Statement(error)) if is_about_values(&error) => {
                savepoint.rollback().await?;
                if let [_] = at {
                    let reason = format!("not analyzed: {}", error.message);
                    return Ok((0, vec![Err(reason)]));
                }
                let (left, right) = at.split_at(at.len() / 2);
                let (rows_left, mut left) = Box::pin(self.measure(sources, left, rows)).await?;
                let (rows_right, right) = Box::pin(self.measure(sources, right, rows)).await?;
                left.extend(right);
                Ok((rows_left.max(rows_right), left))
            }
            Err(error) => Err(error),
        }
    }

    /// The second pass: common values and histograms.
    async fn count(
        &self,
        sources: &[Values],
        measures: &[Result<Measure, String>],
        spans: &[Option<Span>],
        rows: &Rows,
        rows_read: u64,
        columns: &mut [ColumnAnalysis],
    ) -> Result<(), PostgresError> {
        let mut counts = Vec::new();
        let mut of = Vec::new();
        for (at, source) in sources.iter().enumerate() {
            let Ok(measure) = &measures[at] else { continue };
            let repeats = measure.distinct.is_some_and(|distinct| distinct < measure.values);
            let most_common = repeats && measure.compared.is_some_and(|compared| compared > 0);
            let span = spans[at].as_ref();
            if most_common || span.is_some() {
                counts.push(Count { source, most_common, span });
                of.push(at);
            }
        }
        let Some(statement) = sql::counts(&counts, &rows.from, rows.limit) else { return Ok(()) };
        let savepoint = self.session.savepoint().await?;
        let work = async {
            let answer = self.session.rows(&statement, &[]).await?;
            let with_span: Vec<(Class, &Span)> =
                counts.iter().filter_map(|count| Some((count.source.class, count.span?))).collect();
            let bounds = match sql::bounds(&with_span) {
                Some(statement) => self.session.rows(&statement, &[]).await?,
                None => Vec::new(),
            };
            Ok((answer, bounds))
        };
        let (answer, bounds) = match self.watched(2.0, "counting values", work).await {
            Ok(answer) => answer,
            Err(PostgresError::Statement(error)) if is_about_values(&error) => {
                savepoint.rollback().await?;
                for column in columns {
                    column.notes.push(format!("common values and histogram are missing: {}", error.message));
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        second_half(&counts, &of, &answer, bounds.first(), rows_read, columns);
        Ok(())
    }

    /// Tells the client every second that the work goes on, if it asked to know. How much is left
    /// nobody knows, so a pass comes nearer to its end ever more slowly.
    async fn watched<T>(&self, pass: f64, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if !self.context.wants_progress() {
            return work.await;
        }
        let start = Instant::now();
        let mut next = start + Duration::from_millis(500);
        loop {
            if let Ok(done) = timeout_at(next, &mut work).await {
                self.context.progress(pass, Some(3.0), Some(what)).await;
                return done;
            }
            let seconds = start.elapsed().as_secs_f64();
            let message = format!("{what}, {seconds:.0} s");
            let progress = pass - 1.0 + 0.9 * (1.0 - (-seconds / 5.0).exp());
            self.context.progress(progress, Some(3.0), Some(&message)).await;
            next = Instant::now() + Duration::from_secs(1);
        }
    }

    fn row_count(&self, rows: &Rows, rows_read: u64) -> (Option<u64>, Certainty) {
        match rows.source {
            Source::AllRows => (Some(rows_read), Certainty::Exact),
            Source::FirstRows => (Some(rows_read), Certainty::AtLeast),
            // The server's own number would tell of rows that policies hide.
            Source::RandomSample if self.schema.storage.policies_apply => (None, Certainty::Estimated),
            Source::RandomSample => (self.schema.storage.rows_now, Certainty::Estimated),
        }
    }

    fn estimate_distinct(&self, wanted: &[&Column], columns: &mut [ColumnAnalysis]) {
        let rows = self.schema.storage.rows_now.filter(|_| !self.schema.storage.policies_apply);
        for (column, analysis) in wanted.iter().zip(columns) {
            analysis.distinct_estimate = match (column.facts.n_distinct, rows) {
                (Some(n), _) if n > 0.0 => Some(n.round() as u64),
                (Some(n), Some(rows)) if n < 0.0 => Some((-n * rows as f64).round() as u64),
                _ => None,
            };
        }
    }
}

fn measures(rows: &[Row], columns: usize) -> (u64, Vec<Result<Measure, String>>) {
    let Some(row) = rows.first() else { return (0, Vec::new()) };
    let count = u64::try_from(row.get::<_, i64>(0)).unwrap_or(0);
    let measures = (1..=columns)
        .map(|at| {
            let text: &str = row.get(at);
            serde_json::from_str(text).map_err(|_| "not analyzed: its numbers are not readable".to_owned())
        })
        .collect();
    (count, measures)
}

/// What the first pass tells.
fn first_half(
    column: &Column,
    class: Class,
    measure: &Result<Measure, String>,
    rows_read: u64,
) -> ColumnAnalysis {
    let mut analysis = ColumnAnalysis {
        name: column.name.clone(),
        type_name: column.type_name.clone(),
        ..ColumnAnalysis::default()
    };
    let measure = match measure {
        Ok(measure) => measure,
        Err(reason) => {
            analysis.notes.push(reason.clone());
            return analysis;
        }
    };
    let scalar = |text: &String| class.scalar(&shown(text));
    analysis.nulls = rows_read.saturating_sub(measure.values);
    analysis.null_share = share(analysis.nulls, rows_read);
    analysis.distinct = measure.distinct;
    analysis.min = measure.min.as_ref().map(scalar);
    analysis.max = measure.max.as_ref().map(scalar);
    analysis.mean = measure.mean.as_deref().filter(|_| measure.extreme == 0).map(|mean| match class {
        Class::Interval => Scalar::text(mean),
        _ => Scalar::float(mean),
    });
    analysis.standard_deviation =
        measure.deviation.as_deref().filter(|_| measure.extreme == 0).map(Scalar::float);
    match measure.percentiles.as_deref() {
        Some([p05, p25, p50, p75, p95]) => {
            analysis.percentiles = Some(Percentiles {
                p05: scalar(p05),
                p25: scalar(p25),
                p50: scalar(p50),
                p75: scalar(p75),
                p95: scalar(p95),
            });
        }
        Some([min, max]) => {
            analysis.min = Some(scalar(min));
            analysis.max = Some(scalar(max));
        }
        _ => {}
    }
    let not_finite =
        NotFinite { nan: measure.nan, infinity: measure.infinity, minus_infinity: measure.minus_infinity };
    analysis.not_finite = (not_finite != NotFinite::default()).then_some(not_finite);
    let lengths = match (measure.length_min, measure.length_max, measure.length_mean) {
        (Some(min), Some(max), Some(mean)) => Some(Lengths { min, max, mean }),
        _ => None,
    };
    if class == Class::Text {
        analysis.length = lengths;
    } else {
        analysis.bytes = lengths;
    }
    analysis.notes.extend(notes(class, measure));
    analysis
}

fn notes(class: Class, measure: &Measure) -> Vec<String> {
    let mut notes = Vec::new();
    let compared = measure.compared.unwrap_or(measure.values);
    if matches!(class, Class::Text | Class::Large) && compared < measure.values {
        let mut note = format!(
            "{} values larger than {} bytes are left out of all but the NULLs",
            Thousands(measure.values - compared),
            Thousands(u64::from(MAX_COMPARED))
        );
        if let Some(bytes) = measure.bytes {
            note.push_str(&format!("; the largest has {} bytes", Thousands(bytes)));
        }
        notes.push(note);
    }
    if measure.extreme > 0 {
        notes.push("no mean and no deviation: there are numbers beyond 1e150".into());
    }
    if class == Class::Interval && compared < measure.values {
        notes.push(format!("{} intervals are infinite", Thousands(measure.values - compared)));
    }
    if class == Class::Opaque {
        notes.push("values of this type cannot be compared, so there is nothing to count".into());
    }
    notes
}

/// What the second pass tells.
fn second_half(
    counts: &[Count<'_>],
    of: &[usize],
    rows: &[Row],
    bounds: Option<&Row>,
    rows_read: u64,
    columns: &mut [ColumnAnalysis],
) {
    let mut next_bounds = 0;
    for (count, at) in counts.iter().zip(of) {
        let Some(span) = count.span else { continue };
        let values: Vec<Option<String>> = bounds.map(|row| row.get(next_bounds)).unwrap_or_default();
        next_bounds += 1;
        let values: Option<Vec<String>> = values.into_iter().collect();
        let Some(values) = values.filter(|values| values.len() == span.buckets() as usize + 1) else {
            continue;
        };
        columns[*at].histogram = values
            .windows(2)
            .map(|bound| Bucket {
                from: count.source.class.scalar(&bound[0]),
                to: count.source.class.scalar(&bound[1]),
                count: 0,
            })
            .collect();
    }
    for row in rows {
        let key = usize::try_from(row.get::<_, i32>(0)).unwrap_or(usize::MAX);
        let (Some(count), Some(at)) = (counts.get(key / 2), of.get(key / 2)) else { continue };
        let value: String = row.get(1);
        let n = u64::try_from(row.get::<_, i64>(2)).unwrap_or(0);
        if key % 2 == 0 {
            let value = count.source.class.scalar(&shown(&value));
            columns[*at].most_common.push(Common { value, count: n, share: share(n, rows_read) });
        } else if let Some(bucket) = value
            .parse::<usize>()
            .ok()
            .and_then(|bucket| columns[*at].histogram.get_mut(bucket.wrapping_sub(1)))
        {
            bucket.count = n;
        }
    }
}

/// Whether it may be one column's values that a statement failed on: data exceptions, operators
/// that a type lacks, limits of the server.
fn is_about_values(error: &SqlError) -> bool {
    ["0A", "22", "42", "54"].iter().any(|class| error.sqlstate.starts_with(class))
}

/// The beginning of a long value.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
