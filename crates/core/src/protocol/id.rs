//! The id of a request.

use bytestring::ByteString;

/// Ids longer than this are refused: the server echoes an id, so its length is the caller's to choose.
const MAX_LENGTH: usize = 1024;

/// The id of a JSON-RPC request: a string or an integer, echoed exactly as it came.
///
/// Integers of any size are kept digit by digit. A number that is integral but written with a fraction or an
/// exponent (`1.0`, `1e2`) is taken as that integer, because some JSON writers print integers so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(ByteString);

impl RequestId {
    /// The id as JSON text: digits, or a quoted string.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// Reads an id from JSON text that is known to be valid. `None` if it is no string and no integer, or
    /// longer than 1 KiB.
    pub fn from_json(json: ByteString) -> Option<Self> {
        if json.len() > MAX_LENGTH {
            return None;
        }
        match json.as_bytes().first()? {
            b'"' if json.contains('\\') => {
                // Two spellings of one string are one id.
                let text: String = serde_json::from_str(&json).ok()?;
                Some(Self(serde_json::to_string(&text).ok()?.into()))
            }
            b'"' => Some(Self(json)),
            b'-' | b'0'..=b'9' if json.contains(['.', 'e', 'E']) => {
                let number: f64 = json.parse().ok()?;
                // From 2^53 on a float no longer says which integer it means.
                let exact = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
                // Adding zero makes zero of minus zero.
                exact.then(|| Self(format!("{:.0}", number + 0.0).into()))
            }
            b'-' | b'0'..=b'9' => Some(Self(json)),
            _ => None,
        }
    }
}

impl From<i64> for RequestId {
    fn from(id: i64) -> Self {
        Self(id.to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &'static str, expected: Option<&str>) {
        let id = RequestId::from_json(ByteString::from_static(json));
        assert_eq!(id.as_ref().map(RequestId::as_json), expected, "{json}");
    }

    #[test]
    fn integers_and_strings_are_ids() {
        check("7", Some("7"));
        check("-1", Some("-1"));
        check("9007199254740993", Some("9007199254740993"));
        check("18446744073709551615", Some("18446744073709551615"));
        check(r#""a""#, Some(r#""a""#));
        check(r#""\u0061""#, Some(r#""a""#));
        check("1.0", Some("1"));
        check("1e2", Some("100"));
        check("-0.0", Some("0"));
    }

    #[test]
    fn nothing_else_is_an_id() {
        for json in ["null", "1.5", "true", "{}", "[]", "1e300", "9007199254740993.0"] {
            check(json, None);
        }
        assert_eq!(RequestId::from_json(format!("\"{}\"", "x".repeat(2000)).into()), None);
    }
}
