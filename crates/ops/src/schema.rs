//! What can be set, for editors.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::Config;
use crate::config::Common;

impl<P: JsonSchema> JsonSchema for Config<P> {
    fn schema_name() -> Cow<'static, str> {
        "Config".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let common = Common::json_schema(generator);
        let mut schema = P::json_schema(generator);
        let of = |schema: &Schema| schema.get("properties").and_then(Value::as_object).cloned();
        let properties: Map<_, _> = of(&common).into_iter().chain(of(&schema)).flatten().collect();
        schema.insert("properties".into(), properties.into());
        schema
    }
}

/// The JSON Schema (draft 2020-12) of a program's settings.
pub(crate) fn of<P: JsonSchema>(program: &str) -> Schema {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Config<P>>();
    schema.insert("title".into(), format!("Settings of {program}").into());
    RecursiveTransform(without_null).transform(&mut schema);
    RecursiveTransform(without_links).transform(&mut schema);
    schema
}

/// TOML has no `null`: what may be left out is left out.
fn without_null(schema: &mut Schema) {
    match schema.get_mut("default") {
        Some(Value::Null) => drop(schema.remove("default")),
        Some(default) => leave_out_null(default),
        None => {}
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    if choices.len() == 1
        && let Some(Value::Object(only)) = choices.pop()
    {
        schema.remove("anyOf");
        for (key, value) in only {
            // What is said at the place counts more than what is said of the type.
            if schema.get(&key).is_none() {
                schema.insert(key, value);
            }
        }
    }
}

fn leave_out_null(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(leave_out_null);
    }
}

/// Descriptions come from documentation of Rust: of a link to something there, its text is left.
fn without_links(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = texts_of_links(text);
    }
}

fn texts_of_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        out.push_str(before);
        let inner = link.split_once(']').filter(|(inner, _)| inner.starts_with('`') && inner.ends_with('`'));
        match inner {
            Some((inner, after)) => {
                out.push_str(inner);
                rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
                    Some((_, after)) => after,
                    None => after,
                };
            }
            None => {
                out.push('[');
                rest = link;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_link_its_text_is_left() {
        for (text, expected) in [
            ("see [`Apis::import`](crate::Apis::import), too", "see `Apis::import`, too"),
            (
                "as in [`tools`](Self::tools). Default: `[\"principal\"]`.",
                "as in `tools`. Default: `[\"principal\"]`.",
            ),
            ("[`Snapshot`]: [x]", "`Snapshot`: [x]"),
            ("[", "["),
        ] {
            assert_eq!(texts_of_links(text), expected);
        }
    }
}
