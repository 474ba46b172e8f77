//! Converts keyword by keyword.

use serde_json::{Map, Value, json};

use super::keyword::{self, Takes};
use super::value::{count, enumeration, exclusive, is_exclusive, names};
use super::{Converter, Direction};
use crate::openapi::text;

/// Bytes of a `default` or example at most.
const MAX_VALUE: usize = 200;

impl Converter<'_> {
    pub(super) fn keyword(
        &mut self,
        out: &mut Map<String, Value>,
        members: &Map<String, Value>,
        key: &str,
        value: &Value,
        owner: Option<&str>,
    ) {
        let is_output = self.direction == Direction::Output;
        let Some(takes) = keyword::find(key) else { return };
        if is_output && takes.is_bound() {
            return;
        }
        let converted = match takes {
            Takes::Type => self.kind(value),
            Takes::Description => {
                value.as_str().map(|text| text::clean(text, self.direction.description_length()).into())
            }
            Takes::Text => value.is_string().then(|| value.clone()),
            Takes::Flag => (*value == Value::Bool(true)).then(|| value.clone()),
            Takes::Number => (value.is_number() && !is_exclusive(members, key)).then(|| value.clone()),
            Takes::Positive => value.as_f64().filter(|number| *number > 0.0).map(|_| value.clone()),
            Takes::Count => count(value),
            Takes::ExclusiveBound(of) => exclusive(members, value, of),
            Takes::Names => Some(names(value)),
            Takes::Enum => value.as_array().map(|values| enumeration(values, members)),
            Takes::Any => Some(value.clone()),
            Takes::Small => (value.to_string().len() <= MAX_VALUE).then(|| value.clone()),
            Takes::Example => {
                (!is_output && !value.is_null() && value.to_string().len() <= MAX_VALUE).then(|| {
                    out.remove("examples");
                    json!([value])
                })
            }
            Takes::Examples => value
                .as_array()
                .filter(|_| !is_output)
                .and_then(|examples| examples.first())
                .filter(|first| first.to_string().len() <= MAX_VALUE)
                .map(|first| json!([first])),
            Takes::Pattern => self.pattern(value),
            Takes::Schema => Some(self.schema(value, None)),
            Takes::SchemaOfSame => Some(self.schema(value, owner)),
            Takes::SchemaOrFlag if is_output && *value == Value::Bool(false) => None,
            Takes::SchemaOrFlag => {
                (value.is_object() || value.is_boolean()).then(|| self.schema(value, None))
            }
            Takes::Items => self.items(out, members, value),
            Takes::SchemasOfSame => self.schemas(value, owner),
            Takes::Tuple => self.schemas(value, None),
            Takes::Properties => self.properties(value),
            Takes::PatternProperties => self.pattern_properties(value),
            Takes::NamesOf => value
                .as_object()
                .map(|of| of.iter().map(|(key, value)| (key.clone(), names(value))).collect()),
            Takes::SchemasOf => value
                .as_object()
                .map(|of| of.iter().map(|(key, value)| (key.clone(), self.schema(value, owner))).collect()),
        };
        let Some(converted) = converted else { return };
        let name = match key {
            // Answers are data for the model, whichever of the forms they have.
            "oneOf" if is_output => "anyOf",
            "example" => "examples",
            "items" if converted.is_array() => "prefixItems",
            key => key,
        };
        if !converted.is_object() && !converted.is_array() {
            self.spend(4 + converted.as_str().map_or(6, str::len));
        } else if matches!(takes, Takes::Enum | Takes::Any | Takes::Small | Takes::Example | Takes::Names) {
            self.spend(converted.to_string().len());
        }
        self.spend(name.len() + 4);
        out.insert(name.to_owned(), converted);
    }

    fn kind(&mut self, value: &Value) -> Option<Value> {
        const KNOWN: &[&str] = &["array", "boolean", "integer", "null", "number", "object", "string"];
        let one = |name: &str| match name {
            "file" => Some("string"),
            name => KNOWN.iter().copied().find(|known| *known == name),
        };
        match value {
            Value::String(name) => match one(name.as_str()) {
                Some(known) => Some(Value::from(known)),
                None => {
                    self.note(format!(
                        "the type `{}` is none of JSON's, so it is left open",
                        text::clean(name, 40)
                    ));
                    None
                }
            },
            Value::Array(several) => {
                let mut kinds: Vec<&str> = several.iter().filter_map(Value::as_str).filter_map(one).collect();
                kinds.sort_unstable();
                kinds.dedup();
                match kinds.as_slice() {
                    [] => None,
                    [only] => Some(Value::from(*only)),
                    _ => Some(Value::from(kinds)),
                }
            }
            _ => None,
        }
    }

    fn pattern(&mut self, value: &Value) -> Option<Value> {
        let pattern = value.as_str()?;
        if self.document.takes_pattern(pattern) {
            return Some(value.clone());
        }
        self.note(format!(
            "the pattern `{}` cannot be checked in linear time, so it is not",
            text::clean(pattern, 60)
        ));
        None
    }

    fn items(
        &mut self,
        out: &mut Map<String, Value>,
        members: &Map<String, Value>,
        value: &Value,
    ) -> Option<Value> {
        match value {
            // A tuple, as JSON Schema had it before `prefixItems`.
            Value::Array(several) if !several.is_empty() && !members.contains_key("prefixItems") => {
                self.schemas(value, None)
            }
            Value::Array(_) => {
                out.remove("items");
                None
            }
            one => Some(self.schema(one, None)),
        }
    }

    fn schemas(&mut self, value: &Value, owner: Option<&str>) -> Option<Value> {
        let schemas = value.as_array().filter(|schemas| !schemas.is_empty())?;
        Some(schemas.iter().map(|schema| self.schema(schema, owner)).collect())
    }

    fn properties(&mut self, value: &Value) -> Option<Value> {
        let properties = value.as_object()?;
        let mut names: Vec<&String> = properties.keys().collect();
        names.sort_unstable();
        let mut out = Map::new();
        for name in names {
            let property = &properties[name.as_str()];
            if self.is_hidden(property) {
                continue;
            }
            if self.is_cut && self.direction == Direction::Output {
                break;
            }
            self.spend(name.len() + 4);
            let converted = self.schema(property, None);
            out.insert(name.clone(), converted);
        }
        Some(Value::Object(out))
    }

    /// Whether a property is not for this direction.
    fn is_hidden(&self, property: &Value) -> bool {
        let flag = match self.direction {
            Direction::Input => "readOnly",
            Direction::Output => "writeOnly",
        };
        let has = |schema: &Value| schema.get(flag) == Some(&Value::Bool(true));
        let target = || {
            let reference = property.get("$ref").and_then(Value::as_str)?;
            Some(has(self.document.target(reference).ok()?.value))
        };
        has(property) || target().unwrap_or(false)
    }

    fn pattern_properties(&mut self, value: &Value) -> Option<Value> {
        let properties = value.as_object()?;
        let mut out = Map::new();
        for (pattern, schema) in properties {
            if self.pattern(&Value::String(pattern.clone())).is_some() {
                out.insert(pattern.clone(), self.schema(schema, None));
            }
        }
        Some(Value::Object(out))
    }

    /// Takes out what no longer holds once other keywords are converted.
    pub(super) fn tidy(&mut self, out: &mut Map<String, Value>, members: &Map<String, Value>) {
        let count_of =
            |of: &Map<String, Value>, key: &str| of.get(key).and_then(Value::as_object).map_or(0, Map::len);
        // A pattern that was left out must not close the object to what it allowed.
        if count_of(out, "patternProperties") < count_of(members, "patternProperties") {
            out.remove("additionalProperties");
            out.remove("unevaluatedProperties");
        }
        let hidden: Vec<String> = self.hidden_names(members);
        if let Some(Value::Array(required)) = out.get_mut("required") {
            required
                .retain(|name| name.as_str().is_some_and(|name| !hidden.iter().any(|hidden| hidden == name)));
            if required.is_empty() {
                out.remove("required");
            }
        }
    }

    /// The properties of a schema, and of those it is composed of, that are not for this direction.
    fn hidden_names(&self, members: &Map<String, Value>) -> Vec<String> {
        let mut names = Vec::new();
        self.collect_hidden(members, &mut names, 0);
        names
    }

    fn collect_hidden(&self, members: &Map<String, Value>, names: &mut Vec<String>, depth: usize) {
        if let Some(Value::Object(properties)) = members.get("properties") {
            names.extend(
                properties
                    .iter()
                    .filter(|(_, property)| self.is_hidden(property))
                    .map(|(name, _)| name.clone()),
            );
        }
        let Some(Value::Array(parts)) = members.get("allOf").filter(|_| depth < 4) else { return };
        for part in parts {
            let target =
                part.get("$ref").and_then(Value::as_str).and_then(|to| self.document.target(to).ok());
            let part = target.map_or(part, |target| target.value);
            if let Some(part) = part.as_object() {
                self.collect_hidden(part, names, depth + 1);
            }
        }
    }

    /// Allows null where the document's own dialect says so.
    pub(super) fn nullable(&mut self, mut out: Map<String, Value>, members: &Map<String, Value>) -> Value {
        let is_nullable =
            ["nullable", "x-nullable"].iter().any(|flag| members.get(*flag) == Some(&Value::Bool(true)));
        if !is_nullable {
            return Value::Object(out);
        }
        self.spend(20);
        let is_plain =
            !["$ref", "allOf", "anyOf", "oneOf", "not", "const"].iter().any(|key| out.contains_key(*key));
        if let (Some(Value::String(kind)), true) = (out.get("type"), is_plain) {
            if kind != "null" {
                let kinds = json!([kind, "null"]);
                out.insert("type".into(), kinds);
            }
            if let Some(Value::Array(values)) = out.get_mut("enum")
                && !values.contains(&Value::Null)
            {
                values.push(Value::Null);
            }
            return Value::Object(out);
        }
        if is_plain && !out.contains_key("enum") {
            return Value::Object(out);
        }
        let description = out.remove("description");
        let mut either = Map::new();
        either.insert("anyOf".into(), json!([out, {"type": "null"}]));
        if let Some(description) = description {
            either.insert("description".into(), description);
        }
        Value::Object(either)
    }
}
