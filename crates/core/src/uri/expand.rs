//! From values to a URI.

use super::parse::{Operator, Part, Variable};
use super::{UriValue, UriValues, begins_with_triplet, is_reserved, is_unreserved};

/// Writes a character as triplets.
pub(super) fn encode(c: char, out: &mut String) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        out.push_str(&format!("%{byte:02X}"));
    }
}

/// RFC 6570, section 3: values that are not there take their prefix with them.
pub(super) fn expand(parts: &[Part], values: &UriValues) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Literal(literal) => out.push_str(literal),
            Part::Expression(operator, variables) => expression(&mut out, *operator, variables, values),
        }
    }
    out
}

fn expression(out: &mut String, operator: Operator, variables: &[Variable], values: &UriValues) {
    let mut is_first = true;
    let mut separate = |out: &mut String| {
        out.push_str(if is_first { operator.first() } else { operator.separator() });
        is_first = false;
    };
    for Variable { name, is_list } in variables {
        match values.get(name) {
            None => {}
            Some(UriValue::Text(text)) => {
                separate(out);
                named(out, operator, name);
                write(out, text, operator);
            }
            Some(UriValue::List(list)) if *is_list => {
                for item in list {
                    separate(out);
                    write(out, item, operator);
                }
            }
            Some(UriValue::List(list)) if list.is_empty() => {}
            Some(UriValue::List(list)) => {
                separate(out);
                named(out, operator, name);
                for (n, item) in list.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    write(out, item, operator);
                }
            }
        }
    }
}

fn named(out: &mut String, operator: Operator, name: &str) {
    if operator.is_named() {
        out.push_str(name);
        out.push('=');
    }
}

fn write(out: &mut String, text: &str, operator: Operator) {
    for (at, c) in text.char_indices() {
        let stands = match u8::try_from(c) {
            Ok(byte) if is_unreserved(byte) => true,
            Ok(b'%') => operator.is_reserved() && begins_with_triplet(&text.as_bytes()[at..]),
            Ok(byte) => operator.is_reserved() && is_reserved(byte),
            Err(_) => false,
        };
        if stands {
            out.push(c);
        } else {
            encode(c, out);
        }
    }
}
