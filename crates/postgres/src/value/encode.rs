//! Binds JSON values to the parameters of a statement.

use std::fmt;

use bytes::BytesMut;
use postgres_types::{Format, IsNull, Kind, ToSql, Type};
use serde_json::value::RawValue;

use crate::PostgresError;

/// A value in PostgreSQL's text format, or NULL. PostgreSQL parses it as whatever type it inferred.
///
/// `Debug` does not show the value: tokio-postgres logs parameters.
#[derive(PartialEq, Eq)]
pub(crate) struct Param(Option<String>);

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "<value>" } else { "NULL" })
    }
}

impl ToSql for Param {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.0 {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    postgres_types::to_sql_checked!();
}

/// Makes parameters of `values` for the types that the server inferred.
pub(crate) fn params(values: &[&RawValue], types: &[Type]) -> Result<Vec<Param>, PostgresError> {
    if values.len() != types.len() {
        return Err(PostgresError::ParameterCount { expected: types.len(), given: values.len() });
    }
    values
        .iter()
        .zip(types)
        .enumerate()
        .map(|(at, (value, ty))| {
            param(value, ty).map_err(|problem| PostgresError::Parameter { index: at + 1, problem })
        })
        .collect()
}

/// `json` and `jsonb` take any value as the document it is; a string that holds an object or an
/// array is taken as that.
fn param(value: &RawValue, ty: &Type) -> Result<Param, String> {
    let text = value.get();
    let base = base(ty);
    if text == "null" {
        return Ok(Param(None));
    }
    if matches!(*base, Type::JSON | Type::JSONB) {
        if text.starts_with('"') {
            let inner = string(text)?;
            let is_nested = inner.trim_start().starts_with(['{', '[']);
            if is_nested && serde_json::from_str::<&RawValue>(&inner).is_ok() {
                return Ok(Param(Some(inner)));
            }
        }
        return Ok(Param(Some(text.to_owned())));
    }
    match text.as_bytes().first() {
        Some(b'"') => string(text).map(|text| Param(Some(text))),
        Some(b'[') => {
            let Kind::Array(element) = base.kind() else {
                return Err(format!(
                    "an array was given, but the statement wants `{}` here; write \
                     `= ANY($n)` to compare with a list, or cast: `$n::{}[]`",
                    ty.name(),
                    ty.name()
                ));
            };
            let mut literal = String::new();
            array(text, element, &mut literal, 0)?;
            if matches!(*base, Type::INT2_VECTOR | Type::OID_VECTOR) {
                // These two have a syntax of their own: `1 2 3`.
                literal = literal.replace(',', " ").replace(['{', '}', '"'], "");
            }
            Ok(Param(Some(literal)))
        }
        Some(b'{') => Err(format!(
            "an object was given, but the statement wants `{}` here; only `json` and `jsonb` take \
             one, for example `$n::jsonb`",
            ty.name()
        )),
        // true, false or a number, whose text PostgreSQL reads as it is.
        _ => Ok(Param(Some(text.to_owned()))),
    }
}

/// Writes `{1,"a b",NULL}`.
fn array(text: &str, element: &Type, literal: &mut String, depth: usize) -> Result<(), String> {
    if depth >= 6 {
        return Err("arrays have at most 6 dimensions".into());
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| "is not valid JSON".to_owned())?;
    let is_json = matches!(*base(element), Type::JSON | Type::JSONB);
    literal.push('{');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            literal.push(if *element == Type::BOX { ';' } else { ',' });
        }
        if !is_json && item.get().starts_with('[') {
            array(item.get(), element, literal, depth + 1)?;
            continue;
        }
        match param(item, element)?.0 {
            None => literal.push_str("NULL"),
            Some(text) => {
                literal.push('"');
                for c in text.chars() {
                    if matches!(c, '"' | '\\') {
                        literal.push('\\');
                    }
                    literal.push(c);
                }
                literal.push('"');
            }
        }
    }
    literal.push('}');
    Ok(())
}

fn string(text: &str) -> Result<String, String> {
    let text: String = serde_json::from_str(text).map_err(|_| "is not a valid JSON string".to_owned())?;
    if text.contains('\0') {
        return Err("PostgreSQL's text cannot hold the character U+0000".into());
    }
    Ok(text)
}

fn base(ty: &Type) -> &Type {
    match ty.kind() {
        Kind::Domain(inner) => base(inner),
        _ => ty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(json: &str, ty: &Type) -> Result<Option<String>, String> {
        let value: &RawValue = serde_json::from_str(json).unwrap();
        param(value, ty).map(|param| param.0)
    }

    #[test]
    fn a_value_keeps_its_text() {
        assert_eq!(one("1.10", &Type::NUMERIC), Ok(Some("1.10".into())));
        assert_eq!(one("9007199254740993", &Type::INT8), Ok(Some("9007199254740993".into())));
        assert_eq!(one("true", &Type::BOOL), Ok(Some("true".into())));
        assert_eq!(one("null", &Type::TEXT), Ok(None));
        assert_eq!(one(r#""null""#, &Type::TEXT), Ok(Some("null".into())));
        assert_eq!(one(r#""""#, &Type::TEXT), Ok(Some(String::new())));
    }

    #[test]
    fn an_array_is_a_literal_for_an_array_and_a_document_for_json() {
        let json = r#"[1, null, "a\"b\\"]"#;
        assert_eq!(one(json, &Type::TEXT_ARRAY), Ok(Some(r#"{"1",NULL,"a\"b\\"}"#.into())));
        assert_eq!(one(json, &Type::JSONB), Ok(Some(json.into())));
        assert_eq!(one("[[1],[2]]", &Type::INT4_ARRAY), Ok(Some(r#"{{"1"},{"2"}}"#.into())));
        assert_eq!(one("[[1],{}]", &Type::JSONB_ARRAY), Ok(Some(r#"{"[1]","{}"}"#.into())));
        assert!(one("[1]", &Type::INT4).unwrap_err().contains("ANY"));
        assert!(one("{}", &Type::TEXT).unwrap_err().contains("jsonb"));
    }

    #[test]
    fn a_string_with_a_document_is_that_document() {
        assert_eq!(one(r#""{\"a\":1}""#, &Type::JSONB), Ok(Some(r#"{"a":1}"#.into())));
        assert_eq!(one(r#""abc""#, &Type::JSONB), Ok(Some(r#""abc""#.into())));
        assert_eq!(one(r#""{abc""#, &Type::JSONB), Ok(Some(r#""{abc""#.into())));
    }

    #[test]
    fn no_log_shows_a_value() {
        assert!(!format!("{:?}", Param(Some("secret".into()))).contains("secret"));
    }
}
