//! YAML 1.2 as JSON.
//!
//! Clients hold the file's frontmatter against the entry that a list told them, with a parser of their own. So what YAML
//! parsers read differently, or JSON cannot say, is refused: merge keys, tags other than `!!str`, equal keys, infinity.
//! It is built from the parser's events, so that what an alias repeats is paid for before it is copied.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

/// As deep as lists and mappings may nest.
const MAX_DEPTH: usize = 32;

/// Memory that the JSON may take, in bytes, as [`Builder::pay`] estimates it.
const MAX_MEMORY: usize = 1 << 20;

/// What a value takes beside its text.
const VALUE: usize = 96;

/// Parses the only document of a text, which must be a mapping.
///
/// # Errors
///
/// Says what is wrong, and where.
pub(super) fn parse(text: &str) -> Result<Map<String, Value>, String> {
    let mut builder = Builder { left: MAX_MEMORY, open: Vec::new(), anchors: HashMap::new(), root: None };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        documents += usize::from(matches!(event, Event::DocumentStart(_)));
        if documents > 1 {
            return Err(format!("a second document begins at line {}", span.start.line()));
        }
        builder.take(event).map_err(|problem| format!("{problem} at line {}", span.start.line()))?;
    }
    match builder.root {
        Some(Value::Object(members)) => Ok(members),
        _ => Err("it must be a mapping, such as `name: git-workflow`".into()),
    }
}

struct Builder {
    /// Memory that is left.
    left: usize,
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
    Mapping { members: Map<String, Value>, key: Option<String> },
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        let left = self.left;
        match event {
            Event::Alias(anchor) => {
                let (value, size) = self.anchors.get(&anchor).ok_or("an alias refers to what contains it")?;
                let (value, size) = (value.clone(), *size);
                self.pay(size)?;
                self.add(value)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.pay(VALUE + text.len())?;
                let is_text = is_text(tag.as_deref())?;
                let value = if self.expects_key() {
                    if style == ScalarStyle::Plain && text == "<<" {
                        return Err("merge keys (`<<`) are read differently by different parsers".into());
                    }
                    Value::String(text.into_owned())
                } else if style == ScalarStyle::Plain && !is_text {
                    plain(&text)?
                } else {
                    Value::String(text.into_owned())
                };
                self.remember(anchor, &value, left)?;
                self.add(value)
            }
            Event::SequenceStart(anchor, tag) => {
                is_text(tag.as_deref())?;
                self.begin(Collection::List(Vec::new()), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                is_text(tag.as_deref())?;
                self.begin(Collection::Mapping { members: Map::new(), key: None }, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let value = match open.collection {
                    Collection::List(items) => Value::Array(items),
                    Collection::Mapping { members, .. } => Value::Object(members),
                };
                self.remember(open.anchor, &value, open.left)?;
                self.add(value)
            }
            _ => Ok(()),
        }
    }

    /// Takes memory.
    fn pay(&mut self, bytes: usize) -> Result<(), String> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or("with its aliases written out, the frontmatter is larger than 1 MiB")?;
        Ok(())
    }

    fn begin(&mut self, collection: Collection, anchor: usize) -> Result<(), String> {
        if self.expects_key() {
            return Err("a key must be text".into());
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("lists and mappings nest more than {MAX_DEPTH} deep"));
        }
        let left = self.left;
        // A map's first node, which it has however few its members are, is many values wide.
        self.pay(VALUE * 7)?;
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
        let size = left_before - self.left;
        self.pay(size)?;
        self.anchors.insert(anchor, (value.clone(), size));
        Ok(())
    }

    fn add(&mut self, value: Value) -> Result<(), String> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        match &mut open.collection {
            Collection::List(items) => items.push(value),
            Collection::Mapping { members, key } => match (key.take(), value) {
                (None, Value::String(text)) if members.contains_key(&text) => {
                    return Err(format!("the key {text:?} is there twice"));
                }
                (None, Value::String(text)) => *key = Some(text),
                (None, _) => return Err("a key must be text".into()),
                (Some(key), value) => {
                    members.insert(key, value);
                }
            },
        }
        Ok(())
    }
}

/// Whether a tag makes text of a value.
fn is_text(tag: Option<&Tag>) -> Result<bool, String> {
    match tag {
        None => Ok(false),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(true),
        Some(tag) => Err(format!("the tag `{tag}` has no meaning in frontmatter")),
    }
}

/// What text without quotes means.
///
/// Source: YAML 1.2.2, 10.3.2 "Tag Resolution" of the core schema.
fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Err("JSON has no `.nan`: quote it".into()),
        _ => {}
    }
    let number = match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(digits), _) if is_digits(digits, |byte| byte.is_ascii_hexdigit()) => {
            u64::from_str_radix(digits, 16).ok().map(Number::from)
        }
        (_, Some(digits)) if is_digits(digits, |byte| (b'0'..=b'7').contains(&byte)) => {
            u64::from_str_radix(digits, 8).ok().map(Number::from)
        }
        _ => match decimal(text) {
            Some(number) => number,
            None => return Ok(Value::String(text.to_owned())),
        },
    };
    number.map(Value::Number).ok_or_else(|| format!("the number {text:?} is too large for JSON: quote it"))
}

fn is_digits(text: &str, is_digit: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(is_digit)
}

/// A decimal number; `Some(None)` for one that JSON cannot say.
fn decimal(text: &str) -> Option<Option<Number>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Some(None);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| is_digits(text, |byte| byte.is_ascii_digit());
    let is_mantissa = match fraction {
        _ if digits(whole) => fraction.is_none_or(|fraction| fraction.is_empty() || digits(fraction)),
        Some(fraction) => whole.is_empty() && digits(fraction),
        None => false,
    };
    let is_exponent =
        exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    if !is_mantissa || !is_exponent {
        return None;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Ok(integer) = text.parse::<u64>() {
        return Some(Some(integer.into()));
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Some(integer.into()));
    }
    Some(text.parse().ok().and_then(Number::from_f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, String> {
        parse(&format!("---\n{text}")).map(Value::Object)
    }

    fn refused(text: &str, expected: &str) {
        let problem = read(text).unwrap_err();
        assert!(problem.contains(expected), "{text:?}: {problem}");
    }

    #[test]
    fn scalars_are_what_the_core_schema_says() {
        let text = "a: [0x1F, 0o17, 1e3, -0.5, .5, 1., +7, -3, 18446744073709551615, null, ~, True]\n\
                    b: [2024-01-01, yes, no, 1.2.3, '1', !!str 1, 0x, 0o8, ., e3, 1e, +, '', 1_000]\n\
                    1: |\n  two\n  lines\n";
        let expected = json!({
            "a": [31, 15, 1000.0, -0.5, 0.5, 1.0, 7, -3, u64::MAX, null, null, true],
            "b": ["2024-01-01", "yes", "no", "1.2.3", "1", "1", "0x", "0o8", ".", "e3", "1e", "+", "", "1_000"],
            "1": "two\nlines\n",
        });
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn anchors_are_followed() {
        assert_eq!(read("a: &b {x: 1}\nc: *b\n").unwrap(), json!({"a": {"x": 1}, "c": {"x": 1}}));
        refused("a: &a [*a]", "contains it at line 2");
        refused("a: *b", "unknown anchor");
    }

    #[test]
    fn what_parsers_read_differently_or_json_cannot_say_is_refused() {
        refused(
            "a: {x: 1}\n<<: {y: 2}\n",
            "merge keys (`<<`) are read differently by different parsers at line 3",
        );
        refused("a: 1\na: 2\n", "the key \"a\" is there twice at line 3");
        refused("a: !!binary aGk=", "the tag");
        refused("a: !x {}", "the tag");
        refused("a: .inf", "too large for JSON");
        refused("a: -.INF", "too large for JSON");
        refused("a: .nan", "JSON has no");
        refused("a: 1e999", "too large for JSON");
        refused("a: 0x1FFFFFFFFFFFFFFFFF", "too large for JSON");
        refused("[a]: 1", "a key must be text");
        refused("a: 1\n--- {}\n", "second document begins at line 3");
        refused("a: 1\n...\nb: 1\n", "second document");
        refused("- a", "must be a mapping");
        refused("", "must be a mapping");
        refused("a: [", "line");
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            text += &format!("a{n}: &a{n} [{aliases}]\n");
        }
        refused(&text, "larger than 1 MiB");
    }

    #[test]
    fn each_alias_is_paid_for() {
        refused(
            &format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(100), "*a, ".repeat(5000)),
            "larger than 1 MiB",
        );
        let long = "x".repeat(10_000);
        refused(&format!("a: &a {long}\nb: [{}]\n", "*a, ".repeat(1000)), "larger than 1 MiB");
    }

    #[test]
    fn nesting_is_bounded() {
        refused(&format!("a: {}", "[".repeat(60_000)), "");
        refused(&format!("a: {}", "{a: ".repeat(10_000)), "");
        refused(&format!("a:\n  {}", "- ".repeat(30_000)), "nest more than 32 deep");
    }
}
