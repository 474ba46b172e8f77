//! Reads the corpora: a line is `name: statement`, `name[16]: ...` or `name[!]: ...`.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part of it.

pub const LEGITIMATE: &str = include_str!("legitimate.txt");
pub const ATTACKS: &str = include_str!("attacks.txt");
pub const SCHEMA: &str = include_str!("schema.sql");

pub struct Case {
    /// The heading that it stands under.
    pub section: &'static str,
    pub name: &'static str,
    pub sql: String,
    tag: &'static str,
}

impl Case {
    /// Whether a server of that version is expected to know the syntax and the names.
    pub fn runs_on(&self, version: i32) -> bool {
        match self.tag.parse::<i32>() {
            Ok(until) if until < 0 => version <= -until,
            Ok(from) => version >= from,
            Err(_) => self.tag != "!",
        }
    }
}

pub fn cases(text: &'static str) -> Vec<Case> {
    let mut section = "";
    let mut cases = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            section = line.trim_start_matches(['#', ' ']);
            continue;
        }
        let (name, sql) = line.split_once(": ").unwrap();
        let (name, tag) = match name.split_once('[') {
            Some((name, tag)) => (name, tag.trim_end_matches(']')),
            None => (name, ""),
        };
        cases.push(Case { section, name, sql: sql.replace('↵', "\n"), tag });
    }
    cases
}
