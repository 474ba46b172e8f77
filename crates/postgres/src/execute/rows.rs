//! Rows as JSON, within their limits.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::{Column, Row};

use crate::config::Limits;
use crate::error::BoxError;
use crate::value::decode::{Codec, Raw, Undecodable, text};

/// The rows of one statement.
///
/// A row is an array, so that two columns of one name both survive. How values look is the table
/// in the crate's documentation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Rows {
    /// The columns, in order.
    pub columns: Vec<ColumnInfo>,
    /// The rows, each an array of values in the order of the columns.
    #[schemars(with = "Vec<Vec<serde_json::Value>>")]
    pub rows: Box<RawValue>,
    /// How many rows there are in `rows`.
    pub row_count: usize,
    /// Why there are fewer rows than the statement has; absent when these are all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<Truncated>,
    /// Values of the first row of which only the beginning is here, because the row alone was
    /// larger than an answer may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut_values: Vec<CutValue>,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ColumnInfo {
    /// Its name; several columns may share one.
    pub name: String,
    /// Its PostgreSQL type, such as `int4`, `timestamptz` or `text[]`.
    #[serde(rename = "type")]
    pub type_name: String,
}

impl ColumnInfo {
    pub(crate) fn of(column: &Column) -> Self {
        // An array's own name is its element's with an underscore in front.
        let type_name = match column.type_().kind() {
            postgres_types::Kind::Array(element) => format!("{}[]", element.name()),
            _ => column.type_().name().to_owned(),
        };
        Self { name: column.name().to_owned(), type_name }
    }
}

/// Why a result is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Truncated {
    /// What ran out.
    pub reason: Limit,
    /// The limit in force: rows, or bytes of JSON.
    pub limit: u64,
    /// How to get the rest.
    pub hint: &'static str,
}

/// What a result had too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// There are more rows than asked for.
    Rows,
    /// The next row would not have fitted.
    Bytes,
}

impl Truncated {
    fn rows(limit: u32) -> Self {
        let hint = "raise `limit` if it allows more, filter, aggregate, or page with ORDER BY and a WHERE on its \
            columns";
        Self { reason: Limit::Rows, limit: limit.into(), hint }
    }

    fn bytes(limit: usize) -> Self {
        let hint = "select fewer or shorter columns, such as left(column, 200), or filter";
        Self { reason: Limit::Bytes, limit: limit as u64, hint }
    }
}

/// A value that was cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct CutValue {
    /// Which column, from 0.
    pub column: usize,
    /// How many bytes the whole value has: of JSON, or as PostgreSQL sent it where that alone is too much.
    pub bytes: usize,
}

/// What stands for a value of which not even a beginning can be given.
const TOO_LARGE: &str = "(too large)";

/// A value may be this many times larger as PostgreSQL sends it than an answer may be, and still be
/// written and looked at: it may shrink, as white space in `json` and numbers in arrays do.
const SHRINKS: usize = 4;

/// Collects rows.
pub(super) struct Builder {
    columns: Vec<ColumnInfo>,
    codecs: Vec<Codec>,
    limits: Limits,
    json: Vec<u8>,
    count: u32,
    truncated: Option<Truncated>,
    cut_values: Vec<CutValue>,
}

impl Builder {
    pub(super) fn new(columns: Vec<ColumnInfo>, codecs: Vec<Codec>, limits: Limits) -> Self {
        let json = b"[".to_vec();
        Self { columns, codecs, limits, json, count: 0, truncated: None, cut_values: Vec::new() }
    }

    /// How many rows were taken.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// How many more rows like those taken would fit.
    pub(super) fn room(&self) -> u32 {
        let taken = u64::from(self.count).max(1);
        let left = self.limits.max_bytes.saturating_sub(self.json.len()) as u64;
        u32::try_from(left * taken / (self.json.len() as u64) + 1).unwrap_or(u32::MAX)
    }

    /// Takes a row and tells whether another is wanted. The error is the column that is not
    /// decodable.
    pub(super) fn push(&mut self, row: &Row) -> Result<bool, usize> {
        if self.count >= self.limits.max_rows {
            self.truncated = Some(Truncated::rows(self.limits.max_rows));
            return Ok(false);
        }
        let start = self.json.len();
        if self.count > 0 {
            self.json.push(b',');
        }
        let mut is_full = false;
        self.json.push(b'[');
        for (at, codec) in self.codecs.iter().enumerate() {
            if at > 0 {
                self.json.push(b',');
            }
            match row.try_get::<_, Option<Raw<'_>>>(at) {
                Ok(Some(Raw(raw))) if codec.least_json(raw) > self.limits.max_bytes => {
                    is_full = true;
                }
                Ok(Some(Raw(raw))) => match codec.write(raw, &mut self.json) {
                    Ok(()) => {}
                    // As text there is nothing left to try.
                    Err(Undecodable) => return Err(at),
                },
                Ok(None) => self.json.extend_from_slice(b"null"),
                Err(_) => return Err(at),
            }
            is_full |= self.json.len() >= self.limits.max_bytes;
            if is_full {
                break; // so that a row costs no more than an answer, however large it is
            }
        }
        self.json.push(b']');
        if is_full || self.json.len() >= self.limits.max_bytes {
            self.truncated = Some(Truncated::bytes(self.limits.max_bytes));
            self.json.truncate(start);
            if self.count == 0 {
                self.push_cut(row)?;
            }
            return Ok(false);
        }
        self.count += 1;
        Ok(true)
    }

    /// Takes the first row although it is too large: each value gets an equal share.
    fn push_cut(&mut self, row: &Row) -> Result<(), usize> {
        let share = (self.limits.max_bytes / self.codecs.len().max(1)).max(16);
        // What may still be written to be looked at, all values together.
        let mut room = self.limits.max_bytes.saturating_mul(SHRINKS);
        self.json.push(b'[');
        for (at, codec) in self.codecs.iter().enumerate() {
            if at > 0 {
                self.json.push(b',');
            }
            let start = self.json.len();
            let mut bytes = 0;
            match row.try_get::<_, Option<Raw<'_>>>(at) {
                Ok(Some(Raw(raw))) => {
                    if let Some(begun) = codec.beginning(raw, share) {
                        bytes = raw.len();
                        text::string(begun.as_bytes(), &mut self.json).map_err(|_| at)?;
                    } else if codec.most_work(raw) > room {
                        bytes = raw.len();
                        text::string(TOO_LARGE.as_bytes(), &mut self.json).map_err(|_| at)?;
                    } else {
                        room -= codec.most_work(raw);
                        codec.write(raw, &mut self.json).map_err(|_| at)?;
                    }
                }
                Ok(None) => self.json.extend_from_slice(b"null"),
                Err(_) => return Err(at),
            }
            let was_cut = bytes > 0;
            if !was_cut {
                bytes = self.json.len() - start;
            }
            if self.json.len() - start > share {
                let cut = beginning(&self.json[start..], share);
                self.json.truncate(start);
                text::string(cut.as_bytes(), &mut self.json).map_err(|_| at)?;
                self.cut_values.push(CutValue { column: at, bytes });
            } else if was_cut {
                self.cut_values.push(CutValue { column: at, bytes });
            }
        }
        self.json.push(b']');
        self.count = 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Rows, BoxError> {
        self.json.push(b']');
        let json = String::from_utf8(self.json)?;
        Ok(Rows {
            columns: self.columns,
            rows: RawValue::from_string(json)?,
            row_count: self.count as usize,
            truncated: self.truncated,
            cut_values: self.cut_values,
        })
    }
}

/// The beginning of a value that may fill about `share` bytes: of a string its text, of anything
/// else its JSON.
fn beginning(json: &[u8], share: usize) -> String {
    let text = match serde_json::from_slice::<String>(json) {
        Ok(text) => text,
        Err(_) => String::from_utf8_lossy(json).into_owned(),
    };
    // Escapes make text longer, by six bytes for a control character at worst.
    let mut room = share;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let cost = if c.is_control() { 6 } else { c.len_utf8() + usize::from(matches!(c, '"' | '\\')) };
        if cost > room {
            break;
        }
        room -= cost;
        end = at + c.len_utf8();
    }
    text[..end].to_owned()
}
