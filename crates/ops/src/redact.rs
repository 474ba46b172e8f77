//! What is shown of settings that may hold a secret.

use serde::Serializer;

/// What is shown in place of what may be a secret.
const REDACTED: &str = "[redacted]";

/// Shows of a URL what names a place, and not who asks there or with which parameters.
pub(crate) fn url<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&without_secrets(text))
}

pub(crate) fn some_url<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => url(text, serializer),
        None => serializer.serialize_none(),
    }
}

fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return REDACTED.into() };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (place, parameters) = rest.split_at(end);
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{REDACTED}@{host}"),
        None => authority.to_owned(),
    };
    match parameters.chars().next() {
        Some(mark) => format!("{scheme}://{host}{path}{mark}{REDACTED}"),
        None => format!("{scheme}://{host}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_its_place_is_shown() {
        for (url, shown) in [
            ("https://id.example.com/keys", "https://id.example.com/keys"),
            (
                "https://u:p@id.example.com:8/keys?a=b#c",
                "https://[redacted]@id.example.com:8/keys?[redacted]",
            ),
            ("https://a@b@h#c", "https://[redacted]@h#[redacted]"),
            ("hunter2", "[redacted]"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
