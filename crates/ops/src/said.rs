//! What file, environment and command line said, to find out what has changed.

use std::fmt;

use toml::{Table, Value};

/// What was said, section by section.
#[derive(Clone, Default)]
pub(crate) struct Said(Table);

impl Said {
    pub(crate) fn new(table: Table) -> Self {
        Self(table)
    }

    pub(crate) fn section(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The keys whose values differ, such as `server.listen`.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut keys = Vec::new();
        compare(&self.0, &other.0, "", &mut keys);
        keys
    }
}

fn compare(one: &Table, other: &Table, around: &str, keys: &mut Vec<String>) {
    let added = other.keys().filter(|key| !one.contains_key(*key));
    for key in one.keys().chain(added) {
        let path = format!("{around}{key}");
        match (one.get(key), other.get(key)) {
            (Some(Value::Table(one)), Some(Value::Table(other))) => {
                compare(one, other, &format!("{path}."), keys);
            }
            (Some(Value::Table(one)), None) | (None, Some(Value::Table(one))) => {
                compare(one, &Table::new(), &format!("{path}."), keys);
            }
            (one, other) if one == other => {}
            _ => keys.push(path),
        }
    }
}

impl fmt::Debug for Said {
    /// Without the values: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Said").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_not_shown() {
        let said = |text: &str| Said::new(text.parse().unwrap());
        let one = said("a = 1\n[b]\nc = \"hunter2\"\nd = [1]\n[e]\nf = 1\n");
        let other = said("[b]\nc = \"hunter3\"\nd = [1]\n[e]\nf = 1\n[g.h]\ni = 1\n");
        assert_eq!(one.differences(&other), ["a", "b.c", "g.h.i"]);
        assert_eq!(one.differences(&one.clone()), [""; 0]);
        assert!(!format!("{one:?}").contains("hunter"));
    }
}
