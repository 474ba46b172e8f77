//! Writes PostgreSQL's binary values as JSON.

mod json;
mod nested;
mod network;
mod number;
pub(crate) mod text;
mod time;

use postgres_types::{FromSql, Kind, Type};

/// The binary form was not what it should be. The column is asked for again as text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undecodable;

pub(crate) type Decoded = Result<(), Undecodable>;

/// How to read one type.
#[derive(Clone, Debug)]
pub(crate) enum Codec {
    Bool,
    Int2,
    Int4,
    Int8,
    UInt4,
    UInt8,
    Float4,
    Float8,
    Numeric,
    Text,
    Char,
    Bytea,
    Json,
    Jsonb,
    JsonPath,
    Uuid,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Interval,
    Inet,
    MacAddr,
    Bits,
    Lsn,
    Tid,
    Void,
    Array(Box<Codec>),
    /// `int2vector` and `oidvector`: arrays whose lower bound is always 0.
    Vector(Box<Codec>),
    Range(Box<Codec>),
    Multirange(Box<Codec>),
    Composite(Vec<(String, Codec)>),
    Record,
}

impl Codec {
    /// How to read `ty`, or `None` if only PostgreSQL itself can write it readably.
    pub(crate) fn of(ty: &Type) -> Option<Self> {
        Self::nested(ty, 0)
    }

    fn nested(ty: &Type, depth: usize) -> Option<Self> {
        if depth > 16 {
            return None;
        }
        if let Some(codec) = Self::simple(ty) {
            return Some(codec);
        }
        let inner = |ty: &Type| Self::nested(ty, depth + 1).map(Box::new);
        match ty.kind() {
            Kind::Enum(_) => Some(Self::Text),
            Kind::Domain(base) => Self::nested(base, depth + 1),
            Kind::Array(element) => inner(element).map(Self::Array),
            Kind::Range(bound) => inner(bound).map(Self::Range),
            Kind::Multirange(bound) => inner(bound).map(Self::Multirange),
            Kind::Composite(fields) => fields
                .iter()
                .map(|field| Some((field.name().to_owned(), Self::nested(field.type_(), depth + 1)?)))
                .collect::<Option<Vec<_>>>()
                .map(Self::Composite),
            _ => None,
        }
    }

    fn simple(ty: &Type) -> Option<Self> {
        Some(match *ty {
            Type::BOOL => Self::Bool,
            Type::INT2 => Self::Int2,
            Type::INT4 => Self::Int4,
            Type::INT8 => Self::Int8,
            Type::OID | Type::XID | Type::CID => Self::UInt4,
            Type::XID8 => Self::UInt8,
            Type::FLOAT4 => Self::Float4,
            Type::FLOAT8 => Self::Float8,
            Type::NUMERIC => Self::Numeric,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::XML | Type::UNKNOWN => Self::Text,
            Type::CHAR => Self::Char,
            Type::BYTEA => Self::Bytea,
            Type::JSON => Self::Json,
            Type::JSONB => Self::Jsonb,
            Type::JSONPATH => Self::JsonPath,
            Type::UUID => Self::Uuid,
            Type::DATE => Self::Date,
            Type::TIME => Self::Time,
            Type::TIMETZ => Self::TimeTz,
            Type::TIMESTAMP => Self::Timestamp,
            Type::TIMESTAMPTZ => Self::TimestampTz,
            Type::INTERVAL => Self::Interval,
            Type::INET | Type::CIDR => Self::Inet,
            Type::MACADDR | Type::MACADDR8 => Self::MacAddr,
            Type::BIT | Type::VARBIT => Self::Bits,
            Type::PG_LSN => Self::Lsn,
            Type::TID => Self::Tid,
            Type::VOID => Self::Void,
            Type::INT2_VECTOR => Self::Vector(Box::new(Self::Int2)),
            Type::OID_VECTOR => Self::Vector(Box::new(Self::UInt4)),
            Type::RECORD => Self::Record,
            Type::RECORD_ARRAY => Self::Array(Box::new(Self::Record)),
            _ => return None,
        })
    }

    /// Whether one value may be of any size.
    pub(crate) fn is_unbounded(&self) -> bool {
        match self {
            Self::Text
            | Self::Bytea
            | Self::Json
            | Self::Jsonb
            | Self::JsonPath
            | Self::Bits
            | Self::Array(_)
            | Self::Vector(_)
            | Self::Multirange(_)
            | Self::Record => true,
            Self::Range(bound) => bound.is_unbounded(),
            Self::Composite(fields) => fields.iter().any(|(_, codec)| codec.is_unbounded()),
            _ => false,
        }
    }

    /// How many bytes of JSON a value surely has, or may be taken to have, without reading it.
    ///
    /// Text never shrinks. Of other values a quarter is taken, which is wrong only for unusual
    /// ones, such as `json` that is white space for the most part.
    pub(crate) fn least_json(&self, raw: &[u8]) -> usize {
        match self {
            Self::Text | Self::Bytea | Self::JsonPath => raw.len(),
            Self::Bits => raw.len().saturating_mul(8),
            _ => raw.len() / 4,
        }
    }

    /// About how many bytes are written for a value at most.
    pub(crate) fn most_work(&self, raw: &[u8]) -> usize {
        match self {
            Self::Bits => raw.len().saturating_mul(8),
            _ => raw.len(),
        }
    }

    /// The beginning of a value that is text or written like it, if it has more than `share` bytes.
    /// The cost is that of the beginning.
    pub(crate) fn beginning(&self, raw: &[u8], share: usize) -> Option<String> {
        if raw.len() <= share {
            return None;
        }
        let text = match self {
            Self::Text | Self::Json => raw,
            Self::Jsonb | Self::JsonPath => raw.strip_prefix(&[1])?,
            Self::Bytea => {
                let hex = raw[..share / 2].iter().map(|byte| format!("{byte:02x}"));
                return Some(hex.fold("\\x".to_owned(), |text, byte| text + &byte));
            }
            _ => return None,
        };
        let mut end = share.min(text.len());
        // No further back than one character: a database in `SQL_ASCII` may hold anything.
        for _ in 0..3 {
            if end > 0 && text.get(end).is_some_and(|byte| byte & 0xC0 == 0x80) {
                end -= 1;
            }
        }
        Some(String::from_utf8_lossy(&text[..end]).into_owned())
    }

    /// Writes one value that is not NULL. On failure `out` holds rubbish at its end.
    pub(crate) fn write(&self, raw: &[u8], out: &mut Vec<u8>) -> Decoded {
        match self {
            Self::Bool => {
                out.extend_from_slice(if array::<1>(raw)?[0] == 0 { b"false" } else { b"true" });
                Ok(())
            }
            Self::Int2 => number::int(i64::from(i16::from_be_bytes(array(raw)?)), out),
            Self::Int4 => number::int(i64::from(i32::from_be_bytes(array(raw)?)), out),
            Self::Int8 => number::int(i64::from_be_bytes(array(raw)?), out),
            Self::UInt4 => number::int(i64::from(u32::from_be_bytes(array(raw)?)), out),
            Self::UInt8 => number::unsigned(u64::from_be_bytes(array(raw)?), out),
            Self::Float4 => number::float4(f32::from_be_bytes(array(raw)?), out),
            Self::Float8 => number::float8(f64::from_be_bytes(array(raw)?), out),
            Self::Numeric => number::numeric(raw, out),
            Self::Text => text::string(raw, out),
            Self::Char => text::char(array::<1>(raw)?[0], out),
            Self::Bytea => text::bytea(raw, out),
            Self::Json => json::embed(raw, out),
            Self::Jsonb => match raw.split_first() {
                Some((1, document)) => json::embed(document, out),
                _ => Err(Undecodable),
            },
            Self::JsonPath => match raw.split_first() {
                Some((1, path)) => text::string(path, out),
                _ => Err(Undecodable),
            },
            Self::Uuid => text::uuid(&array(raw)?, out),
            Self::Date => time::date(i32::from_be_bytes(array(raw)?), out),
            Self::Time => time::time(i64::from_be_bytes(array(raw)?), out),
            Self::TimeTz => time::time_tz(raw, out),
            Self::Timestamp => time::timestamp(i64::from_be_bytes(array(raw)?), "", out),
            Self::TimestampTz => time::timestamp(i64::from_be_bytes(array(raw)?), "+00:00", out),
            Self::Interval => time::interval(raw, out),
            Self::Inet => network::inet(raw, out),
            Self::MacAddr => network::mac(raw, out),
            Self::Bits => text::bits(raw, out),
            Self::Lsn => text::lsn(u64::from_be_bytes(array(raw)?), out),
            Self::Tid => text::tid(&array(raw)?, out),
            Self::Void => {
                out.extend_from_slice(b"\"\"");
                Ok(())
            }
            Self::Array(element) => nested::array(element, false, raw, out),
            Self::Vector(element) => nested::array(element, true, raw, out),
            Self::Range(bound) => nested::range(bound, raw, out),
            Self::Multirange(bound) => nested::multirange(bound, raw, out),
            Self::Composite(fields) => nested::composite(fields, raw, out),
            Self::Record => nested::record(raw, out),
        }
    }
}

/// A column's bytes as they came.
pub(crate) struct Raw<'a>(pub(crate) &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn array<const N: usize>(raw: &[u8]) -> Result<[u8; N], Undecodable> {
    raw.try_into().map_err(|_| Undecodable)
}

/// Takes bytes from the front of a value.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Undecodable> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Undecodable)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Undecodable> {
        Ok(self.take(1)?[0])
    }

    fn i16(&mut self) -> Result<i16, Undecodable> {
        Ok(i16::from_be_bytes(array(self.take(2)?)?))
    }

    fn i32(&mut self) -> Result<i32, Undecodable> {
        Ok(i32::from_be_bytes(array(self.take(4)?)?))
    }

    /// A count that the rest of the value can hold at `least` bytes each.
    fn count(&mut self, least: usize) -> Result<usize, Undecodable> {
        let count = usize::try_from(self.i32()?).map_err(|_| Undecodable)?;
        if count.saturating_mul(least) > self.0.len() { Err(Undecodable) } else { Ok(count) }
    }

    /// A value behind its length; `None` for NULL.
    fn value(&mut self) -> Result<Option<&'a [u8]>, Undecodable> {
        match self.i32()? {
            -1 => Ok(None),
            len => self.take(usize::try_from(len).map_err(|_| Undecodable)?).map(Some),
        }
    }

    fn end(&self) -> Decoded {
        if self.0.is_empty() { Ok(()) } else { Err(Undecodable) }
    }
}
