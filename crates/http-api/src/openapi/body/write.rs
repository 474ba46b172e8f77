//! How arguments become a body.

use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Map, Value};
use towline_core::Error;

use super::file::File;
use super::{Body, Field, Kind, OCTETS, Shape, essence, is_json, multipart};
use crate::openapi::encode::Keep;
use crate::openapi::style::{self, Style};

impl Body {
    /// The body as bytes with its media type; none if the arguments hold none.
    ///
    /// # Errors
    ///
    /// `InvalidParams`, which names the argument.
    pub(in crate::openapi) fn write(
        &self,
        arguments: &Map<String, Value>,
    ) -> Result<Option<(Bytes, HeaderValue)>, Error> {
        let (value, label) = match &self.shape {
            Shape::Whole { argument } => match arguments.get(argument) {
                Some(value) => (value.clone(), argument.as_str()),
                None if self.required => return Err(missing(argument)),
                None => return Ok(None),
            },
            Shape::Members(members) => {
                let given = members.iter().filter_map(|member| {
                    Some((member.name.clone(), arguments.get(&member.argument)?.clone()))
                });
                let object: Map<String, Value> = given.collect();
                if object.is_empty() && !self.required {
                    return Ok(None);
                }
                (Value::Object(object), "body")
            }
        };
        let media_type = |text: &str| HeaderValue::from_str(text).map_err(Error::internal);
        Ok(Some(match self.kind {
            Kind::Json => {
                let bytes = serde_json::to_vec(&value).map_err(Error::internal)?;
                (bytes.into(), media_type(&self.media_type)?)
            }
            Kind::Text => (style::scalar(&value).into(), media_type(&self.media_type)?),
            Kind::Binary => {
                let file = File::read(&value, label)?;
                let own = file.content_type.as_deref().filter(|_| self.media_type == OCTETS);
                let own = own.unwrap_or(&self.media_type);
                (file.bytes.clone().into(), media_type(own)?)
            }
            Kind::Form => (self.form(&value, label)?.into(), media_type(&self.media_type)?),
            Kind::Multipart => {
                let (bytes, boundary) = multipart::write(&self.parts(&value, label)?);
                (bytes.into(), media_type(&format!("multipart/form-data; boundary={boundary}"))?)
            }
        }))
    }

    fn form(&self, value: &Value, label: &str) -> Result<String, Error> {
        let mut pairs = Vec::new();
        for (name, value) in fields_of(value, label)? {
            let field = self.field(name);
            let keep = field.map_or(Keep::Unreserved, |field| field.keep);
            let own_style = field.and_then(|field| field.style);
            let is_json = field
                .and_then(|field| field.content_type.as_deref())
                .is_some_and(|own| is_json(&essence(own)));
            let written = match (own_style, value) {
                (Some((style, explode)), value) => style::in_query(name, value, style, explode, keep),
                (None, value) if is_json => {
                    style::in_query(name, &Value::String(value.to_string()), Style::Form, false, keep)
                }
                (None, Value::Object(_)) => {
                    style::in_query(name, &Value::String(value.to_string()), Style::Form, false, keep)
                }
                (None, value) => style::in_query(name, value, Style::Form, true, keep),
            };
            pairs.extend(written);
        }
        Ok(pairs.join("&"))
    }

    fn parts<'a>(&'a self, value: &'a Value, label: &str) -> Result<Vec<multipart::Part<'a>>, Error> {
        let mut parts = Vec::new();
        for (name, value) in fields_of(value, label)? {
            let field = self.field(name);
            let own_type = field.and_then(|field| field.content_type.as_deref());
            let joined = match (field.and_then(|field| field.style), value) {
                (Some((style, false)), Value::Array(_)) => {
                    let separator = match style {
                        Style::Delimited("%09") => "\t",
                        Style::Delimited("%7C") => "|",
                        Style::Delimited(_) => " ",
                        _ => ",",
                    };
                    Some(Value::String(style::simple(value, false, None, separator)))
                }
                _ => None,
            };
            let elements = match (&joined, value) {
                (Some(_), _) => std::slice::from_ref(value),
                (None, Value::Array(elements)) => elements,
                (None, value) => std::slice::from_ref(value),
            };
            for element in elements {
                let element = joined.as_ref().unwrap_or(element);
                parts.push(part(name, element, own_type)?);
            }
        }
        Ok(parts)
    }

    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

fn part<'a>(name: &'a str, value: &Value, content_type: Option<&str>) -> Result<multipart::Part<'a>, Error> {
    if File::is_one(value) {
        let file = File::read(value, name)?;
        let content_type =
            file.content_type.as_deref().or(content_type).unwrap_or("application/octet-stream");
        let filename = file.filename.unwrap_or_else(|| "file".into());
        let content_type = Some(content_type.to_owned());
        return Ok(multipart::Part { name, filename: Some(filename), content_type, bytes: file.bytes });
    }
    let is_json = matches!(value, Value::Object(_) | Value::Array(_))
        || content_type.is_some_and(|own| is_json(&essence(own)));
    let text = if is_json { value.to_string() } else { style::scalar(value) };
    let content_type =
        content_type.map(Into::into).or_else(|| is_json.then(|| "application/json".to_owned()));
    Ok(multipart::Part { name, filename: None, content_type, bytes: text.into_bytes() })
}

/// The fields of a form with a value.
fn fields_of<'a>(
    value: &'a Value,
    label: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, Error> {
    let Value::Object(fields) = value else {
        return Err(Error::invalid_params(format!("Invalid arguments: `{label}` must be an object.")));
    };
    Ok(fields.iter().filter(|(_, value)| !value.is_null()))
}

pub(in crate::openapi) fn missing(argument: &str) -> Error {
    Error::invalid_params(format!("Invalid arguments: `{argument}` is required."))
}
