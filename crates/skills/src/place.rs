//! Where something lies.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but what stands for itself everywhere in a URI (RFC 3986, section 2.3): the first segment of a path is the URI's
/// authority, where `:` and `@` would mean something.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where something lies below the folder of skills.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its path, with `/` between its parts; empty for the folder itself.
    pub(crate) path: String,
    /// Its URI. The folder itself has none.
    pub(crate) uri: String,
}

impl Place {
    /// The folder itself.
    pub(crate) fn root() -> Self {
        // Two slashes once there is a segment.
        Self { path: String::new(), uri: "skill:/".into() }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    /// What has that name in it.
    pub(crate) fn join(&self, name: &str) -> Self {
        let path = if self.is_root() { name.to_owned() } else { format!("{}/{name}", self.path) };
        Self { path, uri: format!("{}/{}", self.uri, utf8_percent_encode(name, ENCODED)) }
    }

    /// Its name; empty for the folder itself.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_so_that_they_stay_one_segment() {
        let place = Place::root().join("a@b:80").join("what is 100%?#.md");
        assert_eq!(place.uri, "skill://a%40b%3A80/what%20is%20100%25%3F%23.md");
        assert_eq!((&*place.path, place.name()), ("a@b:80/what is 100%?#.md", "what is 100%?#.md"));
        assert_eq!(Place::root().join("é").uri, "skill://%C3%A9");
    }
}
