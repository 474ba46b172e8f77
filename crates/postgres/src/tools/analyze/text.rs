//! An analysis as text.

use std::fmt::{self, Display, Formatter};

use super::model::{Certainty, ColumnAnalysis, Scalar, Source, TableAnalysis};
use crate::tools::text::Thousands;

/// Most common values in the text.
const MAX_COMMON: usize = 5;

impl Display for TableAnalysis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Analysis for table '{}':", self.table)?;
        let rows = self.row_count.map(Thousands);
        match (rows, self.row_count_is) {
            (Some(rows), Certainty::Exact) => writeln!(f, "Total rows: {rows}")?,
            (Some(rows), Certainty::Estimated) => writeln!(f, "Total rows: about {rows} (estimated)")?,
            (Some(rows), Certainty::AtLeast) => writeln!(f, "Total rows: at least {rows}")?,
            (None, _) => writeln!(f, "Total rows: unknown")?,
        }
        writeln!(f, "Total columns: {}", Thousands(self.column_count as u64))?;
        let read = Thousands(self.rows_read);
        match self.source {
            Source::AllRows => writeln!(f, "All numbers are exact: all rows were read.")?,
            Source::RandomSample => {
                writeln!(
                    f,
                    "All numbers below are of a random sample of {read} rows; `sample` 0 reads all rows."
                )?;
            }
            Source::FirstRows => {
                writeln!(
                    f,
                    "All numbers below are of the first {read} rows only; `sample` 0 reads all rows."
                )?;
            }
        }
        for column in &self.columns {
            write!(f, "\n{column}")?;
        }
        if !self.columns_left_out.is_empty() {
            let names: Vec<&str> = self.columns_left_out.iter().take(20).map(String::as_str).collect();
            let more = self.columns_left_out.len() - names.len();
            write!(f, "\nNot analyzed: {}", names.join(", "))?;
            match more {
                0 => writeln!(f)?,
                more => writeln!(f, " and {} more; name them in `columns`", Thousands(more as u64))?,
            }
        }
        Ok(())
    }
}

impl Display for ColumnAnalysis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {} ({}):", self.name, self.type_name)?;
        if let (Some(min), Some(max)) = (&self.min, &self.max) {
            writeln!(f, "    Range: {min} - {max}")?;
        }
        if let Some(mean) = &self.mean {
            write!(f, "    Average: {}", Rounded(mean))?;
            if let Some(deviation) = &self.standard_deviation {
                write!(f, ", standard deviation: {}", Rounded(deviation))?;
            }
            writeln!(f)?;
        }
        if let Some(p) = &self.percentiles {
            writeln!(
                f,
                "    Percentiles: 5 % {}, 25 % {}, median {}, 75 % {}, 95 % {}",
                p.p05, p.p25, p.p50, p.p75, p.p95
            )?;
        }
        if let Some(distinct) = self.distinct {
            write!(f, "    Distinct values: {}", Thousands(distinct))?;
            if let Some(estimate) = self.distinct_estimate {
                write!(f, " (about {} in the table)", Thousands(estimate))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "    Null values: {} ({})", Thousands(self.nulls), Percent(self.null_share))?;
        if let Some(other) = &self.not_finite {
            let counts =
                [("NaN", other.nan), ("infinity", other.infinity), ("-infinity", other.minus_infinity)];
            let counts: Vec<String> = counts
                .iter()
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| format!("{name} {}", Thousands(*count)))
                .collect();
            writeln!(f, "    Not finite: {}", counts.join(", "))?;
        }
        if let Some(length) = &self.length {
            writeln!(
                f,
                "    Length: {} - {} characters, average {:.1}",
                length.min, length.max, length.mean
            )?;
        }
        if let Some(bytes) = &self.bytes {
            writeln!(
                f,
                "    Size: {} - {} bytes as stored, average {:.1}",
                bytes.min, bytes.max, bytes.mean
            )?;
        }
        if !self.most_common.is_empty() {
            let values: Vec<String> = self
                .most_common
                .iter()
                .take(MAX_COMMON)
                .map(|common| format!("{} ({})", common.value, Percent(common.share)))
                .collect();
            writeln!(f, "    Most common: {}", values.join(", "))?;
        }
        if !self.histogram.is_empty() {
            let buckets: Vec<String> = self
                .histogram
                .iter()
                .map(|bucket| format!("{} {}", bucket.from, Thousands(bucket.count)))
                .collect();
            writeln!(f, "    Histogram (from, count): {}", buckets.join("; "))?;
        }
        for note in &self.notes {
            writeln!(f, "    Note: {note}")?;
        }
        Ok(())
    }
}

impl Display for Scalar {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match serde_json::from_str::<String>(self.json()) {
            Ok(text) if text.is_empty() => f.write_str("''"),
            Ok(text) => f.write_str(&text.replace('\n', " ")),
            Err(_) => f.write_str(self.json()),
        }
    }
}

/// A computed number with two decimals, or four digits if it is small.
struct Rounded<'a>(&'a Scalar);

impl Display for Rounded<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.json().parse::<f64>() {
            Ok(number) if number == 0.0 || (0.1..1e15).contains(&number.abs()) => write!(f, "{number:.2}"),
            Ok(number) => write!(f, "{number:.3e}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

struct Percent(f64);

impl Display for Percent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 * 100.0 {
            percent if percent > 0.0 && percent < 0.1 => f.write_str("< 0.1 %"),
            percent if percent == percent.round() => write!(f, "{percent} %"),
            percent => write!(f, "{percent:.1} %"),
        }
    }
}
