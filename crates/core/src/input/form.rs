//! Forms made of Rust types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::protocol::Form;

/// The form whose fields are those of `T`.
///
/// # Panics
///
/// Panics if `T` is no struct, or has a field that no form can have.
pub(super) fn of<T: JsonSchema>(message: String) -> Form {
    let settings =
        SchemaSettings::draft2020_12().for_deserialize().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let name = std::any::type_name::<T>();
    assert!(schema.get("type") == Some(&json!("object")), "a form is a struct, which `{name}` is not");
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let fields = properties.into_iter().map(|(key, property)| {
        let field = field(&property).unwrap_or_else(|| {
            panic!("`{name}`: `{key}` is not text, a number, a truth value, a choice or a list of choices")
        });
        (key, Value::Object(field))
    });
    let required = schema.get("required").and_then(Value::as_array);
    let required = required.into_iter().flatten().filter_map(|key| Some(key.as_str()?.to_owned()));
    Form::of(message, fields.collect(), required.collect())
}

/// A property as forms know it, if they can have it.
fn field(property: &Value) -> Option<Map<String, Value>> {
    let property = without_null(property)?;
    let kind = property.get("type").and_then(Value::as_str);
    let (mut field, kept): (Map<String, Value>, &[&str]) = match kind {
        Some("boolean") => (Map::new(), &["type", "title", "description", "default"]),
        Some("integer" | "number") => {
            (Map::new(), &["type", "title", "description", "default", "minimum", "maximum"])
        }
        Some("array") => {
            let items = field_of_choices(property.get("items")?)?;
            let items = match items.get("oneOf") {
                Some(choices) => json!({"anyOf": choices}),
                None => items.into(),
            };
            let kept = &["type", "title", "description", "default", "minItems", "maxItems"];
            (Map::from_iter([("items".to_owned(), items)]), kept)
        }
        _ => match field_of_choices(&property) {
            Some(choices) => (choices, &["title", "description", "default"]),
            None if kind == Some("string") => {
                (Map::new(), &["type", "title", "description", "default", "minLength", "maxLength", "format"])
            }
            None => return None,
        },
    };
    for key in kept {
        if let Some(value) = property.get(*key).filter(|value| !value.is_null()) {
            field.insert((*key).to_owned(), value.clone());
        }
    }
    let known = ["email", "uri", "date", "date-time"];
    if field.get("format").is_some_and(|format| !known.iter().any(|known| format == known)) {
        field.remove("format");
    }
    Some(field)
}

/// A property that may be absent says so in its type; forms say it by not requiring it.
fn without_null(property: &Value) -> Option<Map<String, Value>> {
    let mut property = property.as_object()?.clone();
    if let Some(types) = property.get("type").and_then(Value::as_array) {
        let mut types = types.iter().filter(|kind| *kind != "null");
        let kind = types.next()?.clone();
        if types.next().is_some() {
            return None;
        }
        property.insert("type".to_owned(), kind);
    }
    if let Some(Value::Array(values)) = property.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(forms)) = property.remove("anyOf") {
        let mut forms = forms.into_iter().filter(|form| form.get("type") != Some(&json!("null")));
        let only = forms.next()?;
        if forms.next().is_some() {
            return None;
        }
        for (key, value) in only.as_object()? {
            property.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Some(property)
}

/// A choice, from an enum without data.
fn field_of_choices(schema: &(impl Members + ?Sized)) -> Option<Map<String, Value>> {
    let text = ("type".to_owned(), json!("string"));
    if let Some(values) = schema.member("enum") {
        let all_text = values.as_array()?.iter().all(Value::is_string);
        return all_text.then(|| Map::from_iter([text, ("enum".to_owned(), values.clone())]));
    }
    let mut choices = Vec::new();
    for variant in schema.member("oneOf")?.as_array()? {
        let title = |value: &Value| variant.get("description").unwrap_or(value).clone();
        let choice =
            |value: &Value| value.is_string().then(|| json!({"const": value, "title": title(value)}));
        match (variant.get("const"), variant.get("enum").and_then(Value::as_array)) {
            (Some(value), _) => choices.push(choice(value)?),
            (None, Some(values)) => choices.extend(values.iter().map(choice).collect::<Option<Vec<_>>>()?),
            (None, None) => return None,
        }
    }
    Some(Map::from_iter([text, ("oneOf".to_owned(), choices.into())]))
}

trait Members {
    fn member(&self, key: &str) -> Option<&Value>;
}

impl Members for Value {
    fn member(&self, key: &str) -> Option<&Value> {
        self.get(key)
    }
}

impl Members for Map<String, Value> {
    fn member(&self, key: &str) -> Option<&Value> {
        self.get(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[allow(dead_code, reason = "only the schema counts")]
    enum Class {
        First,
        Second,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[allow(dead_code, reason = "only the schema counts")]
    enum Meal {
        /// Meat and fish.
        Any,
        /// Plants only.
        Vegan,
    }

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code, reason = "only the schema counts")]
    struct Trip {
        /// Where to?
        #[schemars(length(min = 1, max = 50))]
        city: String,
        #[schemars(range(min = 1, max = 9))]
        seats: u8,
        price: Option<f64>,
        #[serde(default)]
        window: bool,
        class: Class,
        #[serde(default)]
        meal: Option<Meal>,
        extras: Vec<Class>,
        #[schemars(extend("format" = "email"))]
        email: Option<String>,
    }

    #[test]
    fn a_struct_is_a_form() {
        let form = serde_json::to_value(of::<Trip>("Where to?".into())).unwrap();
        let fields = &form["requestedSchema"]["properties"];
        assert_eq!(form["message"], "Where to?");
        assert_eq!(
            fields["city"],
            json!({"type": "string", "description": "Where to?", "minLength": 1, "maxLength": 50})
        );
        assert_eq!(fields["seats"], json!({"type": "integer", "minimum": 1, "maximum": 9}));
        assert_eq!(fields["price"], json!({"type": "number"}));
        assert_eq!(fields["window"], json!({"type": "boolean", "default": false}));
        assert_eq!(fields["class"], json!({"type": "string", "enum": ["first", "second"]}));
        let meals =
            json!([{"const": "any", "title": "Meat and fish."}, {"const": "vegan", "title": "Plants only."}]);
        assert_eq!(fields["meal"], json!({"type": "string", "oneOf": meals}));
        let items = json!({"type": "string", "enum": ["first", "second"]});
        assert_eq!(fields["extras"], json!({"type": "array", "items": items}));
        assert_eq!(fields["email"], json!({"type": "string", "format": "email"}));
        assert_eq!(form["requestedSchema"]["required"], json!(["city", "seats", "class", "extras"]));
    }

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code, reason = "only the schema counts")]
    struct Nested {
        trip: Trip,
    }

    #[test]
    #[should_panic(expected = "`trip` is not text")]
    fn what_no_form_can_have_is_noticed_at_once() {
        of::<Nested>(String::new());
    }
}
