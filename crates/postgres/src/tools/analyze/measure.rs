//! What the first pass found for a column.

use serde::Deserialize;

use super::class::Class;
use super::sql::BUCKETS;

/// One column's answer of the first pass.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Measure {
    /// Values that are not NULL.
    pub(super) values: u64,
    /// Those of them that are finite and of a bearable size.
    pub(super) compared: Option<u64>,
    pub(super) distinct: Option<u64>,
    pub(super) min: Option<String>,
    pub(super) max: Option<String>,
    pub(super) percentiles: Option<Vec<String>>,
    /// Least and greatest value as a number, for the histogram.
    pub(super) low: Option<String>,
    pub(super) high: Option<String>,
    pub(super) mean: Option<String>,
    pub(super) deviation: Option<String>,
    /// Numbers too large for mean and deviation.
    pub(super) extreme: u64,
    pub(super) nan: u64,
    pub(super) infinity: u64,
    pub(super) minus_infinity: u64,
    pub(super) length_min: Option<u64>,
    pub(super) length_max: Option<u64>,
    pub(super) length_mean: Option<f64>,
    /// The largest text's bytes.
    pub(super) bytes: Option<u64>,
}

/// The range of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Span {
    /// Whole numbers: buckets of `width` numbers each, from `low`; the last ends with `high`.
    Whole { low: i128, high: i128, width: i128, buckets: u32 },
    /// Buckets of equal width between two numbers in PostgreSQL's text.
    Real { low: String, high: String, float: bool },
}

impl Measure {
    /// The histogram's range, if there is anything to spread.
    pub(super) fn span(&self, class: Class) -> Option<Span> {
        let (low, high) = (self.low.as_deref()?, self.high.as_deref()?);
        if !class.has_histogram() || low == high {
            return None;
        }
        if matches!(class, Class::Integer | Class::Date) {
            let (low, high): (i128, i128) = (low.parse().ok()?, high.parse().ok()?);
            let count = high - low + 1;
            let width = (count + i128::from(BUCKETS) - 1) / i128::from(BUCKETS);
            let buckets = u32::try_from((count + width - 1) / width).ok()?;
            return Some(Span::Whole { low, high, width, buckets });
        }
        // The text is PostgreSQL's and becomes part of a statement: only what a number is made of.
        let is_number =
            |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e'));
        if !is_number(low) || !is_number(high) || low.len() + high.len() > 200 {
            return None;
        }
        // Twice the range must be a double, too.
        let float = class == Class::Float;
        if float && [low, high].iter().any(|x| x.parse::<f64>().is_ok_and(|x| x.abs() > 1e300)) {
            return None;
        }
        // Numbers so near to each other that no double is between them.
        if float {
            let (a, b): (f64, f64) = (low.parse().ok()?, high.parse().ok()?);
            if (b - a) / f64::from(BUCKETS) <= a.abs().max(b.abs()) * f64::EPSILON * 4.0
                || !(b - a).is_normal()
            {
                return None;
            }
        }
        Some(Span::Real { low: low.to_owned(), high: high.to_owned(), float })
    }
}

impl Span {
    pub(super) fn buckets(&self) -> u32 {
        match self {
            Self::Whole { buckets, .. } => *buckets,
            Self::Real { .. } => BUCKETS,
        }
    }

    /// The bucket of a number, from 1, in SQL.
    pub(super) fn bucket(&self, number: &str) -> String {
        match self {
            Self::Whole { low, width, .. } => {
                format!("pg_catalog.div({number}::numeric - ({low}), {width})::int + 1")
            }
            Self::Real { low, high, float } => {
                let ty = if *float { "float8" } else { "numeric" };
                format!(
                    "CASE WHEN {number}::{ty} = '{high}'::{ty} THEN {BUCKETS} \
                     ELSE pg_catalog.width_bucket({number}::{ty}, '{low}'::{ty}, '{high}'::{ty}, {BUCKETS}) END"
                )
            }
        }
    }

    /// The lower bound of bucket `i`, from 0, in SQL; one more is the end of the last.
    pub(super) fn bound(&self, i: &str) -> String {
        match self {
            Self::Whole { low, high, width, .. } => {
                format!("least(({low})::numeric + {width}::numeric * {i}, ({high})::numeric)")
            }
            Self::Real { low, high, float } => {
                let ty = if *float { "float8" } else { "numeric" };
                format!(
                    "(CASE WHEN {i} = {BUCKETS} THEN '{high}'::{ty} \
                     ELSE '{low}'::{ty} + ('{high}'::{ty} - '{low}'::{ty}) * {i} / {BUCKETS} END)"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(class: Class, low: &str, high: &str) -> Option<Span> {
        let measure = Measure { low: Some(low.into()), high: Some(high.into()), ..Measure::default() };
        measure.span(class)
    }

    #[test]
    fn whole_numbers_get_whole_buckets() {
        let whole = |low, high, width, buckets| Some(Span::Whole { low, high, width, buckets });
        assert_eq!(span(Class::Integer, "1", "3"), whole(1, 3, 1, 3));
        assert_eq!(span(Class::Integer, "1", "10"), whole(1, 10, 1, 10));
        assert_eq!(span(Class::Integer, "1", "11"), whole(1, 11, 2, 6));
        assert_eq!(
            span(Class::Integer, "-9223372036854775808", "9223372036854775807").unwrap().buckets(),
            10
        );
        assert_eq!(span(Class::Integer, "5", "5"), None);
    }

    #[test]
    fn a_range_that_doubles_cannot_divide_has_no_histogram() {
        assert_eq!(span(Class::Float, "-1e+308", "1e+308"), None);
        assert_eq!(span(Class::Float, "1", "1.0000000000000002"), None);
        assert!(span(Class::Float, "0.1", "0.9").is_some());
        assert_eq!(span(Class::Numeric, "1'; SELECT", "2"), None);
    }
}
