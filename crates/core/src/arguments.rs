//! Arguments: parsed into types, and those that come as text made into what a schema says.

use jsonschema::Validator;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use crate::error::Error;
use crate::json::RawJson;
use crate::protocol::PromptArgument;
use crate::tool::schema;
use crate::uri::UriValue;

/// References within a schema are followed so far.
const MAX_REFERENCES: usize = 16;

/// Parses arguments, an object.
///
/// # Errors
///
/// `InvalidParams` when they are not what `T` expects; the message names the argument.
pub(crate) fn parse<T: DeserializeOwned>(arguments: &RawJson) -> Result<T, Error> {
    arguments.parse().map_err(|error| explain::<T>(arguments, &error))
}

/// Parses once more, to name the argument that is wrong.
fn explain<T: DeserializeOwned>(arguments: &RawJson, error: &serde_json::Error) -> Error {
    let mut parser = serde_json::Deserializer::from_str(arguments.as_str());
    let named: Result<T, _> = serde_path_to_error::deserialize(&mut parser);
    let text = error.to_string();
    // A place in the line tells a model nothing.
    let problem = text.rsplit_once(" at line ").map_or(&*text, |(problem, _)| problem);
    Error::invalid_params(match named {
        Err(error) if error.path().iter().next().is_some() => {
            format!("Invalid arguments: `{}`: {problem}.", error.path())
        }
        _ => format!("Invalid arguments: {problem}."),
    })
}

/// A schema of arguments that come as text: those of prompts, and the variables of URI templates.
pub(crate) struct TextSchema {
    schema: Value,
    validator: Validator,
}

impl TextSchema {
    /// Compiles a schema.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the schema.
    pub(crate) fn compile(schema: &Value) -> Result<Self, String> {
        if schema.get("type") != Some(&Value::from("object")) {
            return Err("the type of the input schema must be \"object\"".into());
        }
        let validator = schema::compile(schema).map_err(|error| format!("bad input schema: {error}"))?;
        Ok(Self { schema: schema.clone(), validator })
    }

    /// The arguments that must be there.
    pub(crate) fn required(&self) -> impl Iterator<Item = &str> {
        required(&self.schema)
    }

    /// Reads text as what the schema says it is, and holds all of it against the schema.
    ///
    /// # Errors
    ///
    /// `InvalidParams` that says what is wrong.
    pub(crate) fn read<'a>(
        &self,
        values: impl Iterator<Item = (&'a str, &'a UriValue)>,
    ) -> Result<RawJson, Error> {
        let read = |(name, value): (&str, &UriValue)| (name.to_owned(), self.value(name, value));
        let arguments = Value::Object(values.map(read).collect());
        schema::check_arguments(&self.validator, &self.schema, &arguments)?;
        RawJson::from_value(&arguments)
    }

    /// The values that the argument may have, if the schema lists them.
    pub(crate) fn choices(&self, name: &str) -> Vec<String> {
        let mut choices = Vec::new();
        if let Some(property) = self.property(name) {
            each_form(&self.schema, property, MAX_REFERENCES, &mut |form| {
                let listed = form.get("enum").and_then(Value::as_array).into_iter().flatten();
                choices.extend(listed.chain(form.get("const")).filter_map(|value| match value {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                }));
            });
        }
        choices
    }

    fn property(&self, name: &str) -> Option<&Value> {
        self.schema.get("properties")?.get(name)
    }

    fn value(&self, name: &str, value: &UriValue) -> Value {
        let kinds =
            self.property(name).map_or(Kinds::default(), |property| Kinds::of(&self.schema, property));
        match value {
            UriValue::Text(text) => kinds.read(text),
            UriValue::List(list) => Value::Array(list.iter().map(|text| text.clone().into()).collect()),
        }
    }
}

/// The arguments of a prompt, as a schema describes them.
///
/// # Panics
///
/// Panics if one of them cannot be text.
pub(crate) fn describe(schema: &Value) -> Vec<PromptArgument> {
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let first: Vec<&str> = required(schema).collect();
    let mut others: Vec<&str> = properties.keys().map(String::as_str).collect();
    others.retain(|name| !first.contains(name));
    others.sort_unstable();
    let describe = |name: &str| {
        let property = &properties[name];
        let kinds = Kinds::of(schema, property);
        assert!(kinds.can_be_text(), "the argument `{name}` must be text, a number or a truth value");
        let text = |key| property.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut argument = PromptArgument::new(name);
        argument.title = text("title");
        argument.description = text("description");
        argument.required = first.contains(&name);
        argument
    };
    first
        .iter()
        .filter(|name| properties.contains_key(**name))
        .chain(&others)
        .map(|name| describe(name))
        .collect()
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    let required = schema.get("required").and_then(Value::as_array);
    required.into_iter().flatten().filter_map(Value::as_str)
}

/// What kinds of values a schema allows, as far as its types tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kinds {
    text: bool,
    number: bool,
    truth: bool,
    other: bool,
}

impl Kinds {
    fn of(schema: &Value, property: &Value) -> Self {
        let mut kinds = Self::default();
        each_form(schema, property, MAX_REFERENCES, &mut |form| {
            let types = match form.get("type") {
                Some(Value::String(name)) => std::slice::from_ref(name).iter().map(String::as_str).collect(),
                Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            for name in types {
                match name {
                    "string" => kinds.text = true,
                    "integer" | "number" => kinds.number = true,
                    "boolean" => kinds.truth = true,
                    "array" | "object" => kinds.other = true,
                    _ => {}
                }
            }
        });
        kinds
    }

    /// Whether text can stand for a value; a schema that says nothing of the type allows text, too.
    fn can_be_text(self) -> bool {
        self.text || self.number || self.truth || !self.other
    }

    /// Reads text as one of these kinds. What cannot be read stays text, for the schema to refuse.
    fn read(self, text: &str) -> Value {
        if self.text {
            return text.into();
        }
        if self.number
            && let Ok(number) = serde_json::from_str::<Number>(text)
        {
            return number.into();
        }
        match text {
            "true" if self.truth => true.into(),
            "false" if self.truth => false.into(),
            _ => text.into(),
        }
    }
}

/// Visits each of the forms that a value may have: the schema itself, what it refers to, and its alternatives.
fn each_form<'a>(schema: &'a Value, form: &'a Value, depth: usize, visit: &mut impl FnMut(&'a Value)) {
    if depth == 0 {
        return;
    }
    visit(form);
    let target = form.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    if let Some(target) = target.and_then(|pointer| schema.pointer(pointer)) {
        each_form(schema, target, depth - 1, visit);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for branch in form.get(key).and_then(Value::as_array).into_iter().flatten() {
            each_form(schema, branch, depth - 1, visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;
    use crate::uri::UriValues;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Language {
        /// The one with the crab.
        Rust,
        Python,
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Review {
        /// What to review.
        code: String,
        #[schemars(range(max = 10))]
        strictness: Option<u8>,
        language: Language,
        #[serde(default)]
        brief: bool,
    }

    fn schema() -> TextSchema {
        TextSchema::compile(&schema::input_schema::<Review>()).unwrap()
    }

    fn read(values: &UriValues) -> Result<Review, Error> {
        parse(&schema().read(values.iter())?)
    }

    fn values() -> UriValues {
        UriValues::new().with("code", "7").with("language", "rust")
    }

    #[test]
    fn text_is_read_as_the_type_says() {
        let review = read(&values().with("strictness", "9").with("brief", "true")).unwrap();
        let expected =
            Review { code: "7".into(), strictness: Some(9), language: Language::Rust, brief: true };
        assert_eq!(review, expected);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (name, value, expected) in [
            ("strictness", "much", r#"`strictness` must be an integer, got "much""#),
            ("strictness", "11", "`strictness` must be at most 10"),
            ("brief", "yes", r#"`brief` must be a boolean, got "yes""#),
        ] {
            let error = read(&values().with(name, value)).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
        }
        let error = read(&UriValues::new().with("language", "rust")).unwrap_err();
        assert_eq!(error.message(), "Invalid arguments: `code` is required.");
    }

    #[test]
    fn arguments_are_described_those_that_must_be_there_first() {
        let arguments = describe(&schema().schema);
        let told: Vec<_> =
            arguments.iter().map(|argument| (argument.name.as_str(), argument.required)).collect();
        assert_eq!(told, [("code", true), ("language", true), ("brief", false), ("strictness", false)]);
        assert_eq!(arguments[0].description.as_deref(), Some("What to review."));
    }

    #[test]
    fn an_enum_s_values_are_known() {
        let schema = schema();
        let mut languages = schema.choices("language");
        languages.sort_unstable();
        assert_eq!(languages, ["python", "rust"]);
        assert!(schema.choices("code").is_empty());
        assert!(schema.choices("none").is_empty());
    }

    #[test]
    #[should_panic(expected = "the argument `lines` must be text")]
    fn a_list_is_no_argument_of_a_prompt() {
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only its schema matters")]
        struct Bad {
            lines: Vec<String>,
        }
        describe(&schema::input_schema::<Bad>());
    }
}
