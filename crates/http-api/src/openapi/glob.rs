//! Patterns of paths.

/// Whether `path` matches `pattern`, in which `*` stands for anything within a segment and `**` for anything.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.as_bytes(), path.as_bytes());
    // For each kind of star, where it stood last and how much it has taken: to go back there is enough, as what
    // came before has matched as little as it could.
    let (mut one, mut many) = (None, None);
    let (mut p, mut t) = (0, 0);
    loop {
        if pattern[p..].starts_with(b"**") {
            p += 2;
            (many, one) = (Some((p, t)), None);
            continue;
        }
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            one = Some((p, t));
            continue;
        }
        if t < path.len() && pattern.get(p) == Some(&path[t]) {
            p += 1;
            t += 1;
            continue;
        }
        if t == path.len() && p == pattern.len() {
            return true;
        }
        match (one, many) {
            (Some((after, taken)), _) if taken < path.len() && path[taken] != b'/' => {
                one = Some((after, taken + 1));
                (p, t) = (after, taken + 1);
            }
            (_, Some((after, taken))) if taken < path.len() => {
                one = None;
                many = Some((after, taken + 1));
                (p, t) = (after, taken + 1);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stays_within_a_segment_and_two_do_not() {
        for (pattern, path, expected) in [
            ("/pets", "/pets", true),
            ("/pets", "/pets/{id}", false),
            ("/pets/*", "/pets/{id}", true),
            ("/pets/*", "/pets/{id}/toys", false),
            ("/pets/**", "/pets/{id}/toys", true),
            ("/*/toys", "/a/b/toys", false),
            ("/**/toys", "/a/b/toys", true),
            ("/**/toys/*", "/toys/toys/1", true),
            ("/a*c*e", "/abcde", true),
            ("/a*c", "/abcd", false),
            ("**", "/anything/at/all", true),
            ("/**/a*b/**", "/x/acb/y", true),
            ("/**/a*b/**", "/x/ac/b/y", false),
            ("", "/", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_long_time() {
        assert!(!matches(&"*a**".repeat(200), &"a".repeat(199)));
        assert!(!matches(&format!("/{}x", "a*".repeat(300)), &format!("/{}", "a".repeat(3000))));
    }
}
