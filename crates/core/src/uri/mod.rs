//! URIs of resources, and templates of URIs.

mod expand;
mod matching;
mod parse;
mod template;
mod values;

pub use parse::UriTemplateError;
pub use template::UriTemplate;
pub use values::{UriValue, UriValues};

/// Whether the text is an absolute URI as far as servers need it to be one (RFC 3986, section 3): a scheme, a colon,
/// and no character that a URI cannot have.
pub(crate) fn check(uri: &str) -> Result<(), &'static str> {
    check_scheme(uri)?;
    let forbidden = |c: char| c.is_ascii_control() || c.is_whitespace() || "\"<>\\^`{|}".contains(c);
    if uri.contains(forbidden) {
        return Err(
            "a URI has no white space, control characters or any of `\" < > \\ ^ { | }` and backticks",
        );
    }
    Ok(())
}

/// Whether the text begins with a scheme (RFC 3986, section 3.1) and more follows.
fn check_scheme(uri: &str) -> Result<(), &'static str> {
    let (scheme, rest) = uri.split_once(':').unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if rest.is_empty()
        || !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        || !scheme.chars().all(allowed)
    {
        return Err("it must begin with a scheme, such as `notes:` or `file://`");
    }
    Ok(())
}

/// Bytes that stand for themselves in every part of a URI (RFC 3986, section 2.3).
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Bytes that delimit the parts of a URI (RFC 3986, section 2.2).
const fn is_reserved(byte: u8) -> bool {
    matches!(
        byte,
        b':' | b'/'
            | b'?'
            | b'#'
            | b'['
            | b']'
            | b'@'
            | b'!'
            | b'$'
            | b'&'
            | b'\''
            | b'('
            | b')'
            | b'*'
            | b'+'
            | b','
            | b';'
            | b'='
    )
}

/// Whether a triplet such as `%2F` stands at the beginning.
fn begins_with_triplet(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_uri_has_a_scheme_and_only_characters_of_uris() {
        for good in ["file:///a", "a:b", "x-y.z+1:?q#f", "test://é/%20"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "a", ":a", "1a:b", "a:", "/a:b", "a:b c", "a:\n", "a:{b}", "a:\\b", "é:b"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
