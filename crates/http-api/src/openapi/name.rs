//! Names of tools and arguments: what clients take, deterministic, and unique.

use std::collections::{HashMap, HashSet};

/// Characters of a tool's name at most: clients that put a prefix before it refuse longer ones.
pub(super) const MAX_LENGTH: usize = 64;

/// Hexadecimal digits of the hash that tells names apart.
const HASH_DIGITS: usize = 8;

/// An operation to name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

impl Naming<'_> {
    fn base(&self) -> String {
        let from_id = self.id.map(sanitise).filter(|name| !name.is_empty());
        from_id.unwrap_or_else(|| sanitise(&format!("{}_{}", self.method.to_ascii_lowercase(), self.path)))
    }

    fn hash(&self) -> String {
        let text = format!("{} {}", self.method, self.path);
        format!("{:016x}", fnv(text.as_bytes()))[..HASH_DIGITS].to_owned()
    }
}

/// A name for each operation, `prefix` before it.
///
/// The name is the operation id's, or made of method and path. What several operations would be called gets a hash of
/// method and path, and so does what is too long: a name depends on nothing but the operation itself and those that
/// share its id.
pub(super) fn assign(operations: &[Naming<'_>], prefix: &str) -> Vec<String> {
    let bases: Vec<String> =
        operations.iter().map(|operation| format!("{prefix}{}", operation.base())).collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for base in &bases {
        *counts.entry(base.to_ascii_lowercase()).or_default() += 1;
    }
    let mut taken: HashSet<String> = bases
        .iter()
        .filter(|base| counts[&base.to_ascii_lowercase()] == 1 && base.len() <= MAX_LENGTH)
        .map(|base| base.to_ascii_lowercase())
        .collect();
    bases
        .into_iter()
        .zip(operations)
        .map(|(base, operation)| {
            if base.len() <= MAX_LENGTH && counts[&base.to_ascii_lowercase()] == 1 {
                return base;
            }
            let mut name = with_suffix(&base, &operation.hash());
            let mut n = 2;
            while !taken.insert(name.to_ascii_lowercase()) {
                name = with_suffix(&base, &format!("{}_{n}", operation.hash()));
                n += 1;
            }
            name
        })
        .collect()
}

fn with_suffix(base: &str, suffix: &str) -> String {
    let room = MAX_LENGTH - suffix.len() - 1;
    let kept = base[..base.len().min(room)].trim_end_matches(['_', '-']);
    format!("{kept}_{suffix}")
}

/// The text with `A-Z a-z 0-9 _ -` kept and each run of anything else as one `_`.
pub(super) fn sanitise(text: &str) -> String {
    sanitise_with(text, b"_-")
}

/// A name for an argument: as [`sanitise`], with `.` kept, and not too long. Empty if nothing is left.
pub(super) fn argument(text: &str) -> String {
    let mut name = sanitise_with(text, b"_-.");
    name.truncate(MAX_LENGTH);
    name
}

fn sanitise_with(text: &str, kept: &[u8]) -> String {
    let mut name = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || (c.is_ascii() && kept.contains(&(c as u8))) {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    // A `_` of the text's own stays: `_id` is not `id`.
    let name = if text.starts_with('_') { name.as_str() } else { name.trim_start_matches('_') };
    if text.ends_with('_') { name.to_owned() } else { name.trim_end_matches('_').to_owned() }
}

/// FNV-1a, which is the same everywhere and for ever.
///
/// Source: draft-eastlake-fnv.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(operations: &[(&str, &str, &str)]) -> Vec<String> {
        let operations: Vec<_> = operations
            .iter()
            .map(|(id, method, path)| Naming { id: (!id.is_empty()).then_some(*id), method, path })
            .collect();
        assign(&operations, "")
    }

    #[test]
    fn a_name_is_of_the_operation_id_or_of_method_and_path() {
        assert_eq!(names(&[("repos/get-content", "GET", "/x")]), ["repos_get-content"]);
        assert_eq!(names(&[("", "GET", "/pets/{petId}/toys")]), ["get_pets_petId_toys"]);
        assert_eq!(names(&[("été", "GET", "/a")]), ["t"]);
        assert_eq!(names(&[("日本", "GET", "/a")]), ["get_a"]);
    }

    #[test]
    fn equal_names_are_told_apart_whatever_their_order() {
        let one = names(&[("get", "GET", "/a"), ("Get", "GET", "/b"), ("other", "GET", "/c")]);
        let two = names(&[("other", "GET", "/c"), ("Get", "GET", "/b"), ("get", "GET", "/a")]);
        assert_eq!(one[2], "other");
        assert!(one[0].starts_with("get_") && one[0].len() == 12 && one[1].starts_with("Get_"));
        assert_eq!(one, [two[2].clone(), two[1].clone(), two[0].clone()]);
        // Another operation that is called by chance what the hash would make.
        let three = names(&[("get", "GET", "/a"), ("Get", "GET", "/b"), (&one[0], "GET", "/d")]);
        assert_eq!(three[2], one[0]);
        assert_eq!(three[0], format!("{}_2", one[0]));
    }

    #[test]
    fn a_long_name_is_cut_and_stays_unique() {
        let long = "x".repeat(100);
        let named = names(&[(&format!("{long}a"), "GET", "/a"), (&format!("{long}b"), "GET", "/b")]);
        assert!(named.iter().all(|name| name.len() == MAX_LENGTH));
        assert_ne!(named[0], named[1]);
    }

    #[test]
    fn arguments_keep_what_they_are_known_by() {
        for (name, expected) in [
            ("filter[status]", "filter_status"),
            ("$top", "top"),
            ("_id", "_id"),
            ("X-Request-Id", "X-Request-Id"),
            ("a.b", "a.b"),
            ("[]", ""),
        ] {
            assert_eq!(argument(name), expected);
        }
    }
}
