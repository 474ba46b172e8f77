//! YAML 1.2 as a JSON tree.
//!
//! Built from the parser's events, so that what an alias repeats is paid for before it is copied.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

use super::parse::Budget;

/// As deep as JSON may nest.
const MAX_DEPTH: usize = 128;

/// Parses the first document of a text.
///
/// # Errors
///
/// Says what is wrong, and where.
pub(super) fn parse(text: &str, budget: Budget) -> Result<Value, String> {
    let mut builder = Builder { budget, open: Vec::new(), anchors: HashMap::new(), root: None };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        let place = || format!(" at line {}", span.start.line());
        builder.take(event).map_err(|problem| problem + &place())?;
        if let Some(root) = builder.root.take() {
            return Ok(root);
        }
    }
    Err("the document is empty".into())
}

struct Builder {
    budget: Budget,
    open: Vec<Open>,
    /// The value of each anchor, and the memory that it takes.
    anchors: HashMap<usize, (Value, usize)>,
    root: Option<Value>,
}

/// A list or mapping whose end is not reached.
struct Open {
    collection: Collection,
    anchor: usize,
    /// What was left of the memory when it began.
    left: usize,
}

enum Collection {
    List(Vec<Value>),
    Mapping { members: Map<String, Value>, key: Option<String>, merged: Vec<Value> },
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        let left = self.budget.left();
        match event {
            Event::Alias(anchor) => {
                let (value, size) = self.anchors.get(&anchor).ok_or("an alias refers to what contains it")?;
                self.budget.take(*size)?;
                let value = value.clone();
                self.add(value)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.budget.take(text.len())?;
                let is_text = tag.is_some_and(|tag| tag.suffix == "str");
                if self.expects_key() {
                    // A key is text, such as the status of a response.
                    return self.add(Value::String(text.into_owned()));
                }
                let value = if style == ScalarStyle::Plain && !is_text {
                    plain(&text)
                } else {
                    Value::String(text.into_owned())
                };
                self.remember(anchor, &value, left)?;
                self.add(value)
            }
            Event::SequenceStart(anchor, _) => self.begin(Collection::List(Vec::new()), anchor, left),
            Event::MappingStart(anchor, _) => {
                self.budget.object()?;
                let mapping = Collection::Mapping { members: Map::new(), key: None, merged: Vec::new() };
                self.begin(mapping, anchor, left)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let value = match open.collection {
                    Collection::List(items) => Value::Array(items),
                    Collection::Mapping { members, merged, .. } => {
                        Value::Object(self.merge(members, merged)?)
                    }
                };
                self.remember(open.anchor, &value, open.left)?;
                self.add(value)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, collection: Collection, anchor: usize, left: usize) -> Result<(), String> {
        if self.expects_key() {
            return Err("a key must be text".into());
        }
        if self.open.len() >= MAX_DEPTH {
            return Err("the document nests too deeply".into());
        }
        self.open.push(Open { collection, anchor, left });
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { collection: Collection::Mapping { key: None, .. }, .. }))
    }

    fn remember(&mut self, anchor: usize, value: &Value, left_before: usize) -> Result<(), String> {
        if anchor == 0 {
            return Ok(());
        }
        let size = left_before - self.budget.left();
        self.budget.take(size)?;
        self.anchors.insert(anchor, (value.clone(), size));
        Ok(())
    }

    fn add(&mut self, value: Value) -> Result<(), String> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        match &mut open.collection {
            Collection::List(items) => {
                self.budget.element()?;
                items.push(value);
            }
            Collection::Mapping { members, key, merged } => match key.take() {
                None => {
                    let Value::String(text) = value else { return Err("a key must be text".into()) };
                    *key = Some(text);
                }
                Some(key) if key == "<<" => merged.push(value),
                Some(key) => {
                    self.budget.member(&key)?;
                    members.insert(key, value);
                }
            },
        }
        Ok(())
    }

    /// Adds what `<<` names; a mapping's own keys win.
    fn merge(
        &self,
        mut members: Map<String, Value>,
        merged: Vec<Value>,
    ) -> Result<Map<String, Value>, String> {
        let each = merged.into_iter().flat_map(|value| match value {
            Value::Array(several) => several,
            one => vec![one],
        });
        for value in each {
            let Value::Object(other) = value else { return Err("`<<` takes a mapping".into()) };
            for (key, value) in other {
                self.budget.member(&key)?;
                members.entry(key).or_insert(value);
            }
        }
        Ok(members)
    }
}

/// What text without quotes means.
///
/// Source: YAML 1.2.2, 10.3 "Core Schema".
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return digits
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then(|| u64::from_str_radix(digits, 16).ok())?
            .map(Into::into);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| u64::from_str_radix(digits, 8).ok())?
            .map(Into::into);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.bytes().any(|byte| byte.is_ascii_digit())
        && unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    if !is_number {
        return None;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Ok(integer) = text.parse::<u64>() {
        return Some(integer.into());
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer.into());
    }
    text.parse().ok().and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, String> {
        parse(text, Budget::new(16 << 20))
    }

    #[test]
    fn scalars_are_what_the_core_schema_says() {
        let text = "[0x1F, 0o17, 1e3, -0.5, .5, 2024-01-01, yes, no, 1.2.3, '1', !!str 1, 18446744073709551615, .inf, +7, null]";
        let expected = json!([
            31,
            15,
            1000.0,
            -0.5,
            0.5,
            "2024-01-01",
            "yes",
            "no",
            "1.2.3",
            "1",
            "1",
            u64::MAX,
            ".inf",
            7,
            null
        ]);
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn anchors_and_merge_keys_are_followed() {
        let text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: *b\n";
        assert_eq!(
            read(text).unwrap(),
            json!({"base": {"x": 1, "y": 2}, "one": {"x": 1, "y": 3}, "two": {"x": 1, "y": 2}})
        );
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            text += &format!("a{n}: &a{n} [{aliases}]\n");
        }
        assert!(read(&text).unwrap_err().starts_with("the document is too large"));
    }

    #[test]
    fn each_alias_is_paid_for() {
        let text = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(1000), "*a, ".repeat(5000));
        assert!(read(&text).unwrap_err().starts_with("the document is too large"));
    }

    #[test]
    fn an_alias_within_what_it_names_is_refused() {
        assert!(read("a: &a [*a]").is_err());
    }
}
