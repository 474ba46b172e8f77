//! Which paths the configuration allows.

use percent_encoding::percent_decode_str;

/// A path with `*` for a part of a segment and `**` for any number of segments.
#[derive(Clone, Debug)]
pub(crate) struct PathPattern {
    text: String,
}

impl PathPattern {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a path matches in each of its meanings: a server may decode it before it routes.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let pattern: Vec<&str> = self.text.split('/').collect();
        let mut meaning = path.to_owned();
        loop {
            if !match_segments(&pattern, &meaning.split('/').collect::<Vec<_>>()) {
                return false;
            }
            let decoded = percent_decode_str(&meaning).decode_utf8_lossy().into_owned();
            if decoded == meaning {
                return true;
            }
            meaning = decoded;
        }
    }
}

/// Matches lists of segments row by row, so that no pattern takes more than their product.
fn match_segments(pattern: &[&str], path: &[&str]) -> bool {
    // `reached[n]`: the pattern so far can match the first `n` segments.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for part in pattern {
        if *part == "**" {
            let first = reached.iter().position(|is| *is).unwrap_or(reached.len());
            reached[first..].fill(true);
            continue;
        }
        for n in (0..path.len()).rev() {
            reached[n + 1] = reached[n] && match_segment(part.as_bytes(), path[n].as_bytes());
        }
        reached[0] = false;
    }
    reached[path.len()]
}

/// `*` stands for any characters; alone, for at least one.
fn match_segment(pattern: &[u8], text: &[u8]) -> bool {
    if pattern == b"*" {
        return !text.is_empty();
    }
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == text[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                // The last star takes one more.
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                (at, from) = (star_at + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_in_each_of_its_meanings() {
        let check = |pattern: &str, path: &str| PathPattern::new(pattern).matches(path);
        for (pattern, path) in [
            ("/repos/*/*", "/repos/a/b"),
            ("/repos/**", "/repos/a/b/c"),
            ("/repos/**", "/repos"),
            ("/**", "/anything/at/all"),
            ("/v*/users", "/v12/users"),
            ("/**/issues", "/a/b/issues"),
            ("/a*b*c", "/aXbYbZc"),
            ("/projects/**", "/projects/group%2Fproject"),
        ] {
            assert!(check(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/repos/*/*", "/repos/a"),
            ("/repos/*/*", "/repos/a/b/c"),
            ("/repos/*", "/repos/"),
            ("/users/*", "/users/1%2Fdelete"),
            ("/users/*", "/users/1%252Fdelete"),
            ("/users/*", "/%75sers/1"),
            ("/v*/users", "/w1/users"),
            ("/a*b*c", "/aXbYbZ"),
        ] {
            assert!(!check(pattern, path), "{pattern} {path}");
        }
    }
}
