//! How a parameter's value is written.
//!
//! Source: OpenAPI 3.1.1, "Style Values" and "Style Examples", which follow RFC 6570; for version 2.0
//! `collectionFormat`. Delimiters are literal and data is encoded, so that a `,` in a value never parts it.

use serde_json::Value;

use super::encode::{Keep, percent};

/// How lists and objects are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Simple,
    Label,
    Matrix,
    Form,
    /// Elements with this between them, which stands there encoded: `spaceDelimited`, `pipeDelimited`, and tabs
    /// in version 2.0.
    Delimited(&'static str),
    DeepObject,
    /// `cookie` of version 3.2: nothing is encoded.
    Cookie,
}

impl Style {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "simple" => Self::Simple,
            "label" => Self::Label,
            "matrix" => Self::Matrix,
            "form" => Self::Form,
            "spaceDelimited" => Self::Delimited("%20"),
            "pipeDelimited" => Self::Delimited("%7C"),
            "deepObject" => Self::DeepObject,
            "cookie" => Self::Cookie,
            _ => return None,
        })
    }
}

/// A value as text: strings as they are, anything that nests as JSON.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn encoded(text: &str, keep: Option<Keep>) -> String {
    let Some(keep) = keep else { return text.to_owned() };
    let mut out = String::with_capacity(text.len());
    percent(&mut out, text, keep);
    out
}

/// The members of an object, as text and without those that are null.
fn members(object: &serde_json::Map<String, Value>) -> impl Iterator<Item = (&String, String)> {
    object.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key, scalar(value)))
}

/// The members of an object in a row: `R,100,G,200`.
fn flat(object: &serde_json::Map<String, Value>, keep: Option<Keep>) -> Vec<String> {
    members(object).flat_map(|(key, value)| [encoded(key, keep), encoded(&value, keep)]).collect()
}

/// The members of an object as `R=100`.
fn pairs(object: &serde_json::Map<String, Value>, keep: Option<Keep>) -> Vec<String> {
    members(object).map(|(key, value)| format!("{}={}", encoded(key, keep), encoded(&value, keep))).collect()
}

fn elements(array: &[Value], keep: Option<Keep>) -> Vec<String> {
    array.iter().map(|element| encoded(&scalar(element), keep)).collect()
}

/// A value in a path. `separator` parts the elements of `simple`: a comma, unless version 2.0 says otherwise.
pub(super) fn in_path(name: &str, value: &Value, style: Style, explode: bool, keep: Keep) -> String {
    let keep = Some(keep);
    match style {
        Style::Label => match value {
            Value::Array(array) => {
                format!(".{}", elements(array, keep).join(if explode { "." } else { "," }))
            }
            Value::Object(object) if explode => format!(".{}", pairs(object, keep).join(".")),
            Value::Object(object) => format!(".{}", flat(object, keep).join(",")),
            scalar_value => format!(".{}", encoded(&scalar(scalar_value), keep)),
        },
        Style::Matrix => {
            let name = encoded(name, keep);
            let one = |text: &str| match text {
                "" => format!(";{name}"),
                text => format!(";{name}={text}"),
            };
            match value {
                Value::Array(array) if explode => {
                    elements(array, keep).iter().map(|text| one(text)).collect()
                }
                Value::Array(array) => one(&elements(array, keep).join(",")),
                Value::Object(object) if explode => {
                    pairs(object, keep).iter().map(|pair| format!(";{pair}")).collect()
                }
                Value::Object(object) => one(&flat(object, keep).join(",")),
                scalar_value => one(&encoded(&scalar(scalar_value), keep)),
            }
        }
        Style::Delimited(separator) => simple(value, explode, keep, separator),
        _ => simple(value, explode, keep, ","),
    }
}

/// A value as `simple` writes it, encoded if `keep` says how.
pub(super) fn simple(value: &Value, explode: bool, keep: Option<Keep>, separator: &str) -> String {
    match value {
        Value::Array(array) => elements(array, keep).join(separator),
        Value::Object(object) if explode => pairs(object, keep).join(separator),
        Value::Object(object) => flat(object, keep).join(separator),
        scalar_value => encoded(&scalar(scalar_value), keep),
    }
}

/// A value as `name=value` pairs of a query, a form or a cookie. An empty list or object has none.
pub(super) fn in_query(name: &str, value: &Value, style: Style, explode: bool, keep: Keep) -> Vec<String> {
    let keep = (style != Style::Cookie).then_some(keep);
    // A name is always encoded whole: only values may keep reserved characters.
    let key = encoded(name, keep.map(|_| Keep::Unreserved));
    match value {
        Value::Array(array) if array.is_empty() => Vec::new(),
        Value::Object(object) if object.is_empty() => Vec::new(),
        _ if style == Style::DeepObject => {
            let mut out = Vec::new();
            deep(&mut out, &key, value, keep);
            out
        }
        Value::Array(array) if explode => {
            elements(array, keep).iter().map(|element| format!("{key}={element}")).collect()
        }
        Value::Object(object) if explode => pairs(object, keep),
        Value::Array(_) | Value::Object(_) => {
            let separator = if let Style::Delimited(separator) = style { separator } else { "," };
            vec![format!("{key}={}", simple(value, false, keep, separator))]
        }
        scalar_value => vec![format!("{key}={}", encoded(&scalar(scalar_value), keep))],
    }
}

/// `color[R]=100`. What nests goes on in the same way, lists by index: the specification leaves it open, and this is
/// what servers read that read it at all.
fn deep(out: &mut Vec<String>, key: &str, value: &Value, keep: Option<Keep>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                deep(out, &format!("{key}%5B{}%5D", encoded(name, Some(Keep::Unreserved))), value, keep);
            }
        }
        Value::Array(array) => {
            for (at, value) in array.iter().enumerate() {
                deep(out, &format!("{key}%5B{at}%5D"), value, keep);
            }
        }
        Value::Null => {}
        scalar_value => out.push(format!("{key}={}", encoded(&scalar(scalar_value), keep))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SIMPLE: Style = Style::Simple;
    const SPACE: Style = Style::Delimited("%20");
    const PIPE: Style = Style::Delimited("%7C");

    /// The specification's own table. Its object is written `R, G, B`; here keys come in the order of the alphabet,
    /// unless a crate elsewhere in the build makes serde_json keep the order of the text.
    #[test]
    fn styles_are_written_as_the_specification_s_table_shows() {
        let object = json!({"B": 150, "G": 200, "R": 100});
        let array = json!(["blue", "black", "brown"]);
        for (style, explode, empty, string, list, record) in [
            (
                Style::Matrix,
                false,
                ";color",
                ";color=blue",
                ";color=blue,black,brown",
                ";color=B,150,G,200,R,100",
            ),
            (
                Style::Matrix,
                true,
                ";color",
                ";color=blue",
                ";color=blue;color=black;color=brown",
                ";B=150;G=200;R=100",
            ),
            (Style::Label, false, ".", ".blue", ".blue,black,brown", ".B,150,G,200,R,100"),
            (Style::Label, true, ".", ".blue", ".blue.black.brown", ".B=150.G=200.R=100"),
            (SIMPLE, false, "", "blue", "blue,black,brown", "B,150,G,200,R,100"),
            (SIMPLE, true, "", "blue", "blue,black,brown", "B=150,G=200,R=100"),
        ] {
            let write = |value: &Value| in_path("color", value, style, explode, Keep::Unreserved);
            assert_eq!(write(&json!("")), empty, "{style:?} {explode}");
            assert_eq!(write(&json!("blue")), string, "{style:?} {explode}");
            assert_eq!(write(&array), list, "{style:?} {explode}");
            assert_eq!(write(&object), record, "{style:?} {explode}");
        }
        for (style, explode, empty, string, list, record) in [
            (Style::Form, false, "color=", "color=blue", "color=blue,black,brown", "color=B,150,G,200,R,100"),
            (
                Style::Form,
                true,
                "color=",
                "color=blue",
                "color=blue&color=black&color=brown",
                "B=150&G=200&R=100",
            ),
            (
                SPACE,
                false,
                "color=",
                "color=blue",
                "color=blue%20black%20brown",
                "color=B%20150%20G%20200%20R%20100",
            ),
            (
                PIPE,
                false,
                "color=",
                "color=blue",
                "color=blue%7Cblack%7Cbrown",
                "color=B%7C150%7CG%7C200%7CR%7C100",
            ),
            (
                Style::DeepObject,
                true,
                "color=",
                "color=blue",
                "color%5B0%5D=blue&color%5B1%5D=black&color%5B2%5D=brown",
                "color%5BB%5D=150&color%5BG%5D=200&color%5BR%5D=100",
            ),
        ] {
            let write = |value: &Value| in_query("color", value, style, explode, Keep::Unreserved).join("&");
            assert_eq!(write(&json!("")), empty, "{style:?} {explode}");
            assert_eq!(write(&json!("blue")), string, "{style:?} {explode}");
            assert_eq!(write(&array), list, "{style:?} {explode}");
            assert_eq!(write(&object), record, "{style:?} {explode}");
            assert_eq!(write(&json!([])), "", "{style:?} {explode}");
        }
    }

    #[test]
    fn data_is_encoded_and_delimiters_are_not() {
        let value = json!(["a,b", "c&d=e", "f/g", ""]);
        let form = in_query("x[]", &value, Style::Form, false, Keep::Unreserved);
        assert_eq!(form, ["x%5B%5D=a%2Cb,c%26d%3De,f%2Fg,"]);
        let reserved = in_query("x[]", &value, Style::Form, false, Keep::Reserved);
        assert_eq!(reserved, ["x%5B%5D=a,b,c%26d=e,f/g,"]);
        assert_eq!(in_path("x", &json!("a/b;c"), SIMPLE, false, Keep::Unreserved), "a%2Fb%3Bc");
    }

    #[test]
    fn what_nests_is_written_too() {
        let value = json!({"a": {"b": [1, {"c": true}]}, "d": null});
        assert_eq!(
            in_query("f", &value, Style::DeepObject, true, Keep::Unreserved),
            ["f%5Ba%5D%5Bb%5D%5B0%5D=1", "f%5Ba%5D%5Bb%5D%5B1%5D%5Bc%5D=true"]
        );
        assert_eq!(in_query("f", &json!({"a": [1]}), Style::Form, true, Keep::Unreserved), ["a=%5B1%5D"]);
    }
}
