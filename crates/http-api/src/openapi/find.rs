//! Finds operations by words.

use super::operation::Operation;

/// What of an operation words are looked for in, in lower case.
#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Words of the name, such as `list` and `issues` of `listIssues`.
    name: Vec<String>,
    path: Vec<String>,
    tags: Vec<String>,
    summary: Vec<String>,
    description: String,
}

/// What a word is worth where it is found.
const NAME: u32 = 8;
const SUMMARY: u32 = 6;
const PATH: u32 = 5;
const TAG: u32 = 4;
const DESCRIPTION: u32 = 1;

impl Index {
    pub(super) fn new(operations: &[Operation]) -> Self {
        let entries = operations.iter().map(|operation| Entry {
            name: words(operation.name()),
            path: words(operation.path()),
            tags: operation.tags().iter().flat_map(|tag| words(tag)).collect(),
            summary: words(&operation.title().unwrap_or_default()),
            description: operation.description().to_lowercase(),
        });
        Self { entries: entries.collect() }
    }

    /// The places of the operations that words are found in, best first; all of them if there are no words.
    pub(super) fn find(&self, query: &str) -> Vec<usize> {
        let words = words(query);
        if words.is_empty() {
            return (0..self.entries.len()).collect();
        }
        let scores = self.entries.iter().map(|entry| entry.score(&words));
        let mut found: Vec<(usize, u32)> = scores.enumerate().filter(|(_, score)| *score > 0).collect();
        found.sort_by_key(|(at, score)| (std::cmp::Reverse(*score), *at));
        found.into_iter().map(|(at, _)| at).collect()
    }
}

impl Entry {
    fn score(&self, words: &[String]) -> u32 {
        let mut found = 0;
        let mut score = 0;
        for word in words {
            let own = self.score_of(word);
            found += u32::from(own > 0);
            score += own;
        }
        // One that has all the words comes before one that has one of them often.
        score + found * found * 4
    }

    fn score_of(&self, word: &str) -> u32 {
        // In this way `issues` finds `issue`, and `repo` finds `repository`.
        let stem = word.strip_suffix('s').filter(|stem| stem.len() > 2).unwrap_or(word);
        let worth = |own: &[String], worth: u32| {
            if own.iter().any(|own| own == word) {
                worth * 2
            } else if own.iter().any(|own| own.starts_with(stem)) {
                worth
            } else {
                0
            }
        };
        worth(&self.name, NAME)
            + worth(&self.summary, SUMMARY)
            + worth(&self.path, PATH)
            + worth(&self.tags, TAG)
            + if self.description.contains(stem) { DESCRIPTION } else { 0 }
    }
}

/// The words of a text in lower case, also those of `camelCase`.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase() || c.is_numeric();
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_found_in_every_spelling() {
        assert_eq!(
            words("listIssues for-repo_v2 /pets/{petId}"),
            ["list", "issues", "for", "repo", "v2", "pets", "pet", "id"]
        );
        assert!(words("").is_empty());
    }
}
