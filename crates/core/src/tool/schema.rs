//! JSON Schemas of tools: made from Rust types, compiled once, and explained to the model.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{PatternOptions, ValidationError, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::error::Error;

/// More mistakes than these are not told at once: a model fixes a few at a time.
const MAX_MISTAKES: usize = 5;

/// Names, values and patterns longer than this are cut in messages.
const MAX_SHOWN: usize = 60;

/// The schema of a tool's arguments.
///
/// # Panics
///
/// Panics if the type is no struct or map: arguments are an object.
pub(crate) fn input_schema<T: JsonSchema>() -> Value {
    let schema =
        SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    tidy(&mut schema);
    assert!(
        schema.get("type") == Some(&Value::from("object")),
        "arguments must be an object, but `{}` is none",
        std::any::type_name::<T>()
    );
    schema
}

/// The schema of a tool's structured result.
pub(crate) fn output_schema<T: JsonSchema>() -> Value {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    tidy(&mut schema);
    schema
}

/// Takes out what costs a model tokens and tells it nothing: the dialect, which is the default, and the Rust name.
fn tidy(schema: &mut Value) {
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
        members.remove("title");
    }
}

/// A JSON Schema, compiled: 2020-12 unless `$schema` says otherwise, without references outside itself, and with
/// patterns that take linear time.
pub struct Schema {
    schema: Value,
    validator: Validator,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the schema.
    pub fn compile(schema: Value) -> Result<Self, String> {
        let validator = compile(&schema)?;
        Ok(Self { schema, validator })
    }

    /// Holds arguments against it.
    ///
    /// # Errors
    ///
    /// `InvalidParams`, with a message that tells a model which argument is wrong and what is allowed.
    pub fn check_arguments(&self, arguments: &Value) -> Result<(), Error> {
        check_arguments(&self.validator, &self.schema, arguments)
    }

    /// Holds any value against it.
    ///
    /// # Errors
    ///
    /// Says where the value breaks the schema, and how.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        self.validator
            .validate(value)
            .map_err(|error| format!("at {:?}: {error}", error.instance_path().as_str()))
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Schema").field(&self.schema).finish()
    }
}

/// Compiles a schema. References may stay within the schema only, and patterns take linear time.
///
/// # Errors
///
/// Says what is wrong with the schema.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .offline()
        .build(schema)
        .map_err(|error| error.to_string())
}

/// Holds arguments against the schema.
///
/// # Errors
///
/// `InvalidParams` that says for each of the first mistakes which argument, what is wrong, and what is allowed.
pub(crate) fn check_arguments(validator: &Validator, schema: &Value, arguments: &Value) -> Result<(), Error> {
    if validator.is_valid(arguments) {
        return Ok(());
    }
    let mut mistakes: Vec<String> = validator
        .iter_errors(arguments)
        .map(|error| explain(&error, schema))
        .take(MAX_MISTAKES + 1)
        .collect();
    if mistakes.len() > MAX_MISTAKES {
        mistakes.truncate(MAX_MISTAKES);
        mistakes.push("there is more wrong than this".into());
    }
    Err(Error::invalid_params(format!("Invalid arguments: {}.", mistakes.join("; "))))
}

/// One mistake in the words of the arguments, not of the schema language.
fn explain(error: &ValidationError<'_>, schema: &Value) -> String {
    use ValidationErrorKind as Kind;
    let path = dotted(error.instance_path().as_str());
    let subject = if path.is_empty() { "the arguments".to_owned() } else { format!("`{path}`") };
    let got = || cut(&error.instance().to_string());
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let full = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            format!("`{full}` is required")
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let unknown: Vec<String> =
                unexpected.iter().take(5).map(|name| format!("`{}`", cut(name))).collect();
            let allowed = allowed_names(schema, error.instance_path().as_str());
            let place = if path.is_empty() { String::new() } else { format!(" in {subject}") };
            let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
            format!("unknown argument {}{place}; allowed: {allowed}", unknown.join(", "))
        }
        Kind::Type { kind } => format!("{subject} must be {}, got {}", type_names(kind), got()),
        Kind::Enum { options } => {
            format!("{subject} must be one of {}, got {}", cut_long(&options.to_string()), got())
        }
        Kind::Constant { expected_value } => format!("{subject} must be {expected_value}, got {}", got()),
        Kind::Maximum { limit } => format!("{subject} must be at most {limit}, got {}", got()),
        Kind::Minimum { limit } => format!("{subject} must be at least {limit}, got {}", got()),
        Kind::ExclusiveMaximum { limit } => format!("{subject} must be less than {limit}, got {}", got()),
        Kind::ExclusiveMinimum { limit } => format!("{subject} must be more than {limit}, got {}", got()),
        Kind::MultipleOf { multiple_of } => {
            format!("{subject} must be a multiple of {multiple_of}, got {}", got())
        }
        Kind::MaxLength { limit } => format!("{subject} may have at most {limit} characters"),
        Kind::MinLength { limit: 1 } => format!("{subject} must not be empty"),
        Kind::MinLength { limit } => format!("{subject} needs at least {limit} characters"),
        Kind::MaxItems { limit } => format!("{subject} may have at most {limit} elements"),
        Kind::MinItems { limit: 1 } => format!("{subject} must not be empty"),
        Kind::MinItems { limit } => format!("{subject} needs at least {limit} elements"),
        Kind::UniqueItems => format!("{subject} must not have the same element twice"),
        Kind::Pattern { pattern } => format!("{subject} must match the pattern {pattern}, got {}", got()),
        Kind::Format { format } => format!("{subject} must be a valid {format}, got {}", got()),
        Kind::FalseSchema => {
            let allowed = allowed_names(schema, error.instance_path().as_str());
            let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
            format!("an argument with the value {} is not allowed; allowed: {allowed}", got())
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            // What may also be null is most often a value that may be left out: its other form says what is meant.
            let mut others = context.iter().filter(|branch| !branch.first().is_some_and(wants_null));
            if let (Some(only), None) = (others.next().and_then(|branch| branch.first()), others.next()) {
                return explain(only, schema);
            }
            format!("{subject} has none of the allowed forms (see the input schema), got {}", got())
        }
        _ => format!("{subject}: {}", cut_long(&error.to_string())),
    }
}

fn wants_null(error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(jsonschema::JsonType::Null) })
}

fn type_names(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => article(&one.to_string()),
        TypeKind::Multiple(several) => {
            // What may also be null is most often a value that may be left out.
            let names = several.iter().map(|name| name.to_string()).filter(|name| name != "null");
            names.map(|name| article(&name)).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn article(name: &str) -> String {
    match name {
        "null" => "null".into(),
        name if name.starts_with(['a', 'i', 'o']) => format!("an {name}"),
        name => format!("a {name}"),
    }
}

/// `/filters/0/name` becomes `filters[0].name`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{step}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&step);
        }
    }
    path
}

/// The names that an object at this place may have, as far as plain `properties` tell.
fn allowed_names(schema: &Value, pointer: &str) -> Vec<String> {
    let mut place = schema;
    for step in pointer.split('/').skip(1) {
        let next = place.pointer(&format!("/properties/{step}")).or_else(|| place.get("items"));
        let Some(next) = next else { return Vec::new() };
        place = match next.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#')) {
            Some(target) => schema.pointer(target).unwrap_or(next),
            None => next,
        };
    }
    let names = place.get("properties").and_then(Value::as_object);
    let mut names: Vec<String> =
        names.map(|names| names.keys().map(|name| format!("`{name}`")).collect()).unwrap_or_default();
    // A crate elsewhere in the build may make serde_json keep the order of definition instead.
    names.sort_unstable();
    names
}

fn cut(text: &str) -> String {
    cut_at(text, MAX_SHOWN)
}

fn cut_long(text: &str) -> String {
    cut_at(text, MAX_SHOWN * 8)
}

fn cut_at(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schema: &Value, arguments: &Value, expected: &str) {
        let validator = compile(schema).unwrap();
        let message = check_arguments(&validator, schema, arguments)
            .map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(message, expected);
    }

    #[test]
    fn a_mistake_is_told_in_the_words_of_the_arguments() {
        let schema = json!({
            "type": "object",
            "properties": {
                "query": {"type": "string", "minLength": 1, "pattern": "^[a-z]*$"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
                "order": {"enum": ["asc", "desc"]},
                "filters": {"type": "array", "items": {"$ref": "#/$defs/filter"}},
            },
            "$defs": {"filter": {"type": "object", "properties": {"column": {"type": "string"}}, "additionalProperties": false}},
            "required": ["query"],
            "additionalProperties": false,
        });
        check(&schema, &json!({"query": "a"}), "");
        check(&schema, &json!({}), "Invalid arguments: `query` is required.");
        check(
            &schema,
            &json!({"query": "a", "limit": 5000}),
            "Invalid arguments: `limit` must be at most 1000, got 5000.",
        );
        check(&schema, &json!({"query": 7}), "Invalid arguments: `query` must be a string, got 7.");
        check(
            &schema,
            &json!({"query": "a", "order": "up"}),
            r#"Invalid arguments: `order` must be one of ["asc","desc"], got "up"."#,
        );
        check(
            &schema,
            &json!({"query": "A"}),
            r#"Invalid arguments: `query` must match the pattern ^[a-z]*$, got "A"."#,
        );
        check(
            &schema,
            &json!({"query": "a", "qeury": "b"}),
            "Invalid arguments: unknown argument `qeury`; allowed: `filters`, `limit`, `order`, `query`.",
        );
        check(
            &schema,
            &json!({"query": "a", "filters": [{"col": 1}]}),
            "Invalid arguments: unknown argument `col` in `filters[0]`; allowed: `column`.",
        );
    }

    #[test]
    fn what_may_be_left_out_is_explained_by_what_it_may_be() {
        let schema = json!({
            "type": "object",
            "properties": {"how": {"anyOf": [{"$ref": "#/$defs/how"}, {"type": "null"}]}},
            "$defs": {"how": {"type": "string", "enum": ["up", "down"]}},
        });
        check(
            &schema,
            &json!({"how": "x"}),
            r#"Invalid arguments: `how` must be one of ["up","down"], got "x"."#,
        );
        let nothing = json!({"type": "object", "additionalProperties": false});
        check(
            &nothing,
            &json!({"x": 1}),
            "Invalid arguments: an argument with the value 1 is not allowed; allowed: none.",
        );
    }

    #[test]
    fn a_schema_may_not_reach_outside_itself() {
        assert!(compile(&json!({"$ref": "http://127.0.0.1:1/schema.json"})).is_err());
        assert!(compile(&json!({"$ref": "file:///etc/passwd"})).is_err());
    }

    #[test]
    fn a_pattern_that_needs_backtracking_is_refused() {
        assert!(compile(&json!({"pattern": "(a+)+\\1$"})).is_err());
    }
}
