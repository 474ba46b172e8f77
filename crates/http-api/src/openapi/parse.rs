//! The text of a document as a tree, within a bound of memory.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::yaml;

/// Memory that a document's tree may take, as [`Budget`] estimates it: twice that of the largest documents in use.
const MAX_MEMORY: usize = 512 << 20;

/// Parses JSON, or YAML where the text is none.
///
/// # Errors
///
/// Says what is wrong with the text, and where.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    parse_within(bytes, MAX_MEMORY)
}

fn parse_within(bytes: &[u8], memory: usize) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the document is not UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return yaml::parse(text, Budget::new(memory));
    }
    json(text, &Budget::new(memory)).or_else(|error| {
        // A YAML mapping in flow style begins as JSON does.
        yaml::parse(text, Budget::new(memory)).map_err(|_| error)
    })
}

fn json(text: &str, budget: &Budget) -> Result<Value, String> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = Tree(budget).deserialize(&mut parser).map_err(|error| error.to_string())?;
    parser.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// What is left of the memory that a tree may take.
///
/// The estimate is of `serde_json`'s tree: an object takes its first node whole, however few members it has, which
/// is what makes `[{"":0},...]` a hundred times as large in memory as it is as text.
#[derive(Debug)]
pub(super) struct Budget {
    left: Cell<usize>,
}

impl Budget {
    const OBJECT: usize = 640;
    const MEMBER: usize = 96;
    const ELEMENT: usize = 48;

    pub(super) fn new(bytes: usize) -> Self {
        Self { left: Cell::new(bytes) }
    }

    pub(super) fn left(&self) -> usize {
        self.left.get()
    }

    /// Takes that many bytes.
    ///
    /// # Errors
    ///
    /// When there are no more.
    pub(super) fn take(&self, bytes: usize) -> Result<(), &'static str> {
        let left = self.left.get().checked_sub(bytes).ok_or("the document is too large")?;
        self.left.set(left);
        Ok(())
    }

    pub(super) fn object(&self) -> Result<(), &'static str> {
        self.take(Self::OBJECT)
    }

    pub(super) fn member(&self, key: &str) -> Result<(), &'static str> {
        self.take(Self::MEMBER + key.len())
    }

    pub(super) fn element(&self) -> Result<(), &'static str> {
        self.take(Self::ELEMENT)
    }
}

/// Builds a tree. Nesting is bounded by the parser's own limit.
struct Tree<'a>(&'a Budget);

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.0.take(value.len()).map_err(E::custom)?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Tree(self.0))? {
            self.0.element().map_err(A::Error::custom)?;
            items.push(item);
        }
        items.shrink_to_fit();
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.0.object().map_err(A::Error::custom)?;
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            self.0.member(&key).map_err(A::Error::custom)?;
            members.insert(key, access.next_value_seed(Tree(self.0))?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_and_yaml_give_the_same_tree() {
        let tree = json!({"a": [1, 2.5, true, null, "x"], "200": {"b": -3}});
        assert_eq!(parse(tree.to_string().as_bytes()).unwrap(), tree);
        let yaml = "a: [1, 2.5, true, ~, x]\n200:\n  b: -3\n";
        assert_eq!(parse(yaml.as_bytes()).unwrap(), tree);
        assert_eq!(parse(b"\xef\xbb\xbf {a: 1}").unwrap(), json!({"a": 1}));
    }

    #[test]
    fn what_is_wide_in_memory_is_refused_before_it_is_built() {
        let text = format!("[{}0]", r#"{"":0},"#.repeat(100_000));
        let text = format!(r#"{{"a":{text}}}"#);
        assert_eq!(
            parse_within(text.as_bytes(), 16 << 20).unwrap_err().split(" at ").next(),
            Some("the document is too large")
        );
        assert!(parse_within(text.as_bytes(), 128 << 20).is_ok());
    }

    #[test]
    fn a_mistake_in_json_is_told_as_one() {
        let error = parse(br#"{"a": ]}"#).unwrap_err();
        assert!(error.contains("line 1"), "{error}");
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        assert!(parse(format!("{{\"a\":{}", "[".repeat(100_000)).as_bytes()).is_err());
        assert!(parse("- ".repeat(100_000).as_bytes()).is_err());
    }
}
