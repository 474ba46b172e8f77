//! What an analysis tells.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// What a table's values are like.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct TableAnalysis {
    /// The table's name as a statement must spell it.
    pub table: String,
    /// How many rows the table has; absent when nothing tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_count: Option<u64>,
    /// Whether `row_count` was counted or estimated.
    pub row_count_is: Certainty,
    /// How many rows were read. All numbers about columns are of these rows.
    pub rows_read: u64,
    /// Which rows were read.
    pub source: Source,
    /// How many columns the table has.
    pub column_count: usize,
    /// The columns that were analyzed, in the table's order.
    pub columns: Vec<ColumnAnalysis>,
    /// Columns that were not: name them in `columns` to have them analyzed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns_left_out: Vec<String>,
}

/// How sure a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// It was counted.
    Exact,
    /// It follows from statistics or from a sample.
    Estimated,
    /// It is at least this.
    AtLeast,
}

/// Which rows of a table were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// All of them: the numbers are exact.
    AllRows,
    /// Those of randomly chosen pages: the numbers are about right for the table.
    RandomSample,
    /// The first that the server gave: the numbers may be far off for the rest.
    FirstRows,
}

/// What a column's values are like.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ColumnAnalysis {
    /// The column's name, unquoted.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Rows in which it is NULL.
    pub nulls: u64,
    /// `nulls` as a share of the rows read, 0 to 1.
    pub null_share: f64,
    /// How many different values there are, without NULL; absent for types whose values cannot be told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// With a sample: about how many there are in the whole table, by the server's statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct_estimate: Option<u64>,
    /// The least value, infinity and NaN apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Scalar>,
    /// The greatest value, infinity and NaN apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Scalar>,
    /// The mean of numbers or intervals, infinity and NaN apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Scalar>,
    /// The standard deviation of the rows as a sample (`stddev_samp`), infinity and NaN apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_deviation: Option<Scalar>,
    /// Values below or at which a share of the values is, infinity and NaN apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentiles: Option<Percentiles>,
    /// Values that are no number or no point in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_finite: Option<NotFinite>,
    /// Lengths of texts, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<Lengths>,
    /// Sizes of large values, in bytes as stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Lengths>,
    /// The values that occur most, the most common first; absent when all differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub most_common: Vec<Common>,
    /// Numbers or times by ranges of equal width.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<Bucket>,
    /// What else there is to know of these numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Values below or at which a share of the values is (`percentile_disc`).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Percentiles {
    /// 5 % of the values are at most this.
    pub p05: Scalar,
    /// 25 %.
    pub p25: Scalar,
    /// Half: the median.
    pub p50: Scalar,
    /// 75 %.
    pub p75: Scalar,
    /// 95 %.
    pub p95: Scalar,
}

/// How many values are no number, or no point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NotFinite {
    /// NaN.
    pub nan: u64,
    /// Infinity.
    pub infinity: u64,
    /// Minus infinity.
    pub minus_infinity: u64,
}

/// How long values are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Lengths {
    /// The shortest.
    pub min: u64,
    /// The longest.
    pub max: u64,
    /// The mean.
    pub mean: f64,
}

/// A common value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Common {
    /// The value; of a long text the beginning.
    pub value: Scalar,
    /// In how many of the rows read.
    pub count: u64,
    /// `count` as a share of the rows read, 0 to 1.
    pub share: f64,
}

/// A part of a histogram.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Bucket {
    /// Where it begins.
    pub from: Scalar,
    /// Where it ends: the beginning of the next, which is not a part of it; of the last bucket it is.
    pub to: Scalar,
    /// How many values are in it.
    pub count: u64,
}

/// A value as JSON: a number if every reader of JSON gets it exactly, else text as PostgreSQL reads it.
#[derive(Clone, Debug)]
pub struct Scalar(Box<RawValue>);

impl Scalar {
    /// The value of a numeric type from PostgreSQL's text.
    pub(super) fn number(text: &str) -> Self {
        let digits =
            text.bytes().take_while(|b| !matches!(b, b'e' | b'E')).filter(u8::is_ascii_digit).count();
        if digits <= 15
            && serde_json::from_str::<serde_json::Number>(text).is_ok()
            && let Ok(raw) = RawValue::from_string(text.to_owned())
        {
            return Self(raw);
        }
        Self::text(text)
    }

    /// The nearest double that PostgreSQL gave.
    pub(super) fn float(text: &str) -> Self {
        match RawValue::from_string(text.to_owned()) {
            Ok(raw) => Self(raw),
            Err(_) => Self::text(text), // NaN
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(text: &str) -> Self {
        Self(if text == "true" { RawValue::TRUE } else { RawValue::FALSE }.to_owned())
    }

    /// Any other value.
    pub(super) fn text(text: &str) -> Self {
        let json = serde_json::value::to_raw_value(text);
        Self(json.expect("a string always has a JSON form"))
    }

    /// The value as JSON.
    pub fn json(&self) -> &str {
        self.0.get()
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["number", "string", "boolean"]})
    }
}
