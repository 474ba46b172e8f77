//! What can be asked of a column, by its type.

use super::model::Scalar;
use crate::relation::quoted;
use crate::tools::table_schema::Column;

/// Values larger than this, in bytes, are not compared: it would cost seconds and gigabytes.
pub(super) const MAX_COMPARED: u32 = 8192;

/// A kind of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Integer,
    Numeric,
    Float,
    Date,
    Timestamp,
    TimestampTz,
    Time,
    Interval,
    Boolean,
    Text,
    /// Few values with an order: enums, network addresses, money.
    Ordered,
    /// Values that can be told apart and are never large, such as `uuid`.
    Small,
    /// Values that can be told apart and may be large: `jsonb`, `bytea`, arrays, ranges.
    Large,
    /// Values that cannot be told apart: `json`, `xml`, `point`.
    Opaque,
}

/// The expressions for one column in the innermost query.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) class: Class,
    /// The column, with a plain type instead of a domain.
    pub(super) value: String,
}

impl Source {
    pub(super) fn of(column: &Column) -> Self {
        let name = quoted(&column.name);
        let builtin = column.facts.builtin.as_deref();
        let sortable = column.facts.sortable == Some(true);
        let (class, cast) = match (builtin, column.facts.category) {
            (Some("int2" | "int4" | "int8"), _) => (Class::Integer, Some("int8")),
            (Some("numeric"), _) => (Class::Numeric, Some("numeric")),
            (Some(float @ ("float4" | "float8")), _) => (Class::Float, Some(float)),
            (Some("date"), _) => (Class::Date, Some("date")),
            (Some("timestamp"), _) => (Class::Timestamp, Some("timestamp")),
            (Some("timestamptz"), _) => (Class::TimestampTz, Some("timestamptz")),
            (Some("time"), _) => (Class::Time, Some("time")),
            (Some("interval"), _) => (Class::Interval, Some("interval")),
            (Some("bool"), _) => (Class::Boolean, Some("bool")),
            (Some("text" | "varchar" | "bpchar" | "name"), _) => (Class::Text, Some("text")),
            // An extension's text, such as citext: its own idea of equality counts.
            (_, Some('S')) if sortable => (Class::Text, None),
            (Some(kind @ ("money" | "inet" | "cidr" | "timetz")), _) => (Class::Ordered, Some(kind)),
            _ if !sortable => (Class::Opaque, None),
            _ if column.facts.is_enum == Some(true) => (Class::Ordered, None),
            _ if column.facts.is_fixed == Some(true) => (Class::Small, None),
            _ => (Class::Large, None),
        };
        let value = match cast {
            Some(cast) => format!("{name}::pg_catalog.{cast}"),
            None => name,
        };
        Self { class, value }
    }

    /// The part of the values of `v` that is compared: finite, and of a bearable size.
    pub(super) fn compared(&self, v: &str) -> String {
        match self.class {
            Class::Numeric | Class::Float => {
                format!("CASE WHEN {v} NOT IN ('NaN', 'Infinity', '-Infinity') THEN {v} END")
            }
            Class::Date | Class::Timestamp | Class::TimestampTz | Class::Interval => {
                format!("CASE WHEN pg_catalog.isfinite({v}) THEN {v} END")
            }
            // Both read the size without the value.
            Class::Text => {
                format!("CASE WHEN pg_catalog.octet_length({v}::text) <= {MAX_COMPARED} THEN {v} END")
            }
            Class::Large => {
                format!("CASE WHEN pg_catalog.pg_column_size({v}) <= {MAX_COMPARED} THEN {v} END")
            }
            _ => v.to_owned(),
        }
    }
}

impl Class {
    /// Whether a histogram makes sense.
    pub(super) fn has_histogram(self) -> bool {
        use Class as C;
        matches!(
            self,
            C::Integer
                | C::Numeric
                | C::Float
                | C::Date
                | C::Timestamp
                | C::TimestampTz
                | C::Time
                | C::Interval
        )
    }

    /// Whether NaN or infinity may be among the values.
    pub(super) fn may_be_infinite(self) -> bool {
        use Class as C;
        matches!(self, C::Numeric | C::Float | C::Date | C::Timestamp | C::TimestampTz | C::Interval)
    }

    /// A value `v` as a number, for a histogram.
    pub(super) fn as_number(self, v: &str) -> String {
        match self {
            Self::Float => format!("{v}::float8"),
            Self::Date => format!("({v} - '1970-01-01'::date)"),
            Self::Timestamp | Self::TimestampTz | Self::Time | Self::Interval => {
                format!("EXTRACT(epoch FROM {v})")
            }
            _ => v.to_owned(),
        }
    }

    /// The number `x` as a value again, in PostgreSQL's text; NULL if the type does not reach so far.
    pub(super) fn number_as_value(self, x: &str) -> String {
        let within = |low: &str, high: &str, value: String| {
            format!("CASE WHEN {x} BETWEEN {low} AND {high} THEN ({value})::text END")
        };
        match self {
            Self::Numeric => format!("pg_catalog.trim_scale({x})::text"),
            Self::Date => format!("('1970-01-01'::date + {x}::int)::text"),
            // From 4714 BC to the year 294276.
            Self::Timestamp | Self::TimestampTz => {
                let zone = if self == Self::Timestamp { " AT TIME ZONE 'UTC'" } else { "" };
                let value = format!("pg_catalog.to_timestamp(({x})::float8){zone}");
                within("-210866803200", "9224318015999", value)
            }
            Self::Time => format!(
                "CASE WHEN {x} >= 86400 THEN '24:00:00' \
                 ELSE ('00:00'::time + pg_catalog.make_interval(secs => ({x})::float8))::text END"
            ),
            // Microseconds in 64 bits.
            Self::Interval => within(
                "-9223372036853",
                "9223372036853",
                format!("pg_catalog.make_interval(secs => ({x})::float8)"),
            ),
            _ => format!("({x})::text"),
        }
    }

    /// PostgreSQL's text as JSON. Times come with `DateStyle` ISO in UTC.
    pub(super) fn scalar(self, text: &str) -> Scalar {
        match self {
            Self::Integer | Self::Numeric | Self::Float => Scalar::number(text),
            Self::Boolean => Scalar::boolean(text),
            Self::Timestamp | Self::TimestampTz => {
                let (text, era) = match text.strip_suffix(" BC") {
                    Some(text) => (text, " BC"),
                    None => (text, ""),
                };
                let iso = text.replacen(' ', "T", 1);
                let iso = if let Some(utc) = iso.strip_suffix("+00") { format!("{utc}+00:00") } else { iso };
                Scalar::text(&format!("{iso}{era}"))
            }
            _ => Scalar::text(text),
        }
    }
}
