//! The file of API keys.

use std::collections::{BTreeMap, HashMap};
use std::io;

use serde::Deserialize;
use toml::value::Datetime;
use towline_core::Principal;

use super::is_id;
use crate::{Grant, time};

/// What is wrong with a file of API keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// It cannot be read.
    #[error("the file of API keys cannot be read: {0}")]
    Read(io::Error),
    /// It is not as it must be.
    #[error("the file of API keys is malformed: {0}")]
    Malformed(String),
}

/// Keys by id.
#[derive(Default)]
pub(super) struct Table(HashMap<Box<str>, Key>);

pub(super) struct Key {
    pub(super) sha256: [u8; 32],
    pub(super) principal: Principal,
    pub(super) grant: Grant,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    keys: HashMap<Box<str>, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    sha256: String,
    #[serde(default)]
    scopes: Vec<String>,
    expires: Option<Datetime>,
    #[serde(default)]
    claims: BTreeMap<Box<str>, Box<str>>,
}

impl Table {
    pub(super) fn parse(text: &str) -> Result<Self, KeysError> {
        // A message of the parser may quote the line, and hashes of weak keys could be guessed: only the fault is told.
        let file: File =
            toml::from_str(text).map_err(|error| KeysError::Malformed(error.message().to_owned()))?;
        let keys = file.keys.into_iter().map(|(id, entry)| {
            let key =
                read(&id, &entry).map_err(|what| KeysError::Malformed(format!("key `{id}`: {what}")))?;
            Ok((id, key))
        });
        Ok(Self(keys.collect::<Result<_, _>>()?))
    }

    pub(super) fn get(&self, id: &str) -> Option<&Key> {
        self.0.get(id)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn read(id: &str, entry: &Entry) -> Result<Key, &'static str> {
    if !is_id(id) {
        return Err("an id has 1 to 64 of a-z, A-Z, 0-9 and `-`");
    }
    let sha256 = hash(&entry.sha256).ok_or("`sha256` must be 64 hexadecimal digits")?;
    let grant = Grant::new(entry.scopes.iter().collect());
    let principal =
        Principal::new(format!("key:{id}")).with_subject(id, None).with_scopes(grant.scopes().shared());
    let claims = entry.claims.iter();
    let principal =
        claims.fold(principal, |principal, (name, value)| principal.with_claim(name.clone(), value.clone()));
    let grant = match &entry.expires {
        None => grant,
        Some(expires) => grant.until(time::seconds(expires).ok_or("`expires` must be a date after 1970")?),
    };
    Ok(Key { sha256, principal, grant })
}

fn hash(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes().as_chunks::<2>();
    let (pairs, []) = digits else { return None };
    let byte = |pair: &[u8; 2]| {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        u8::try_from(digit(0)? * 16 + digit(1)?).ok()
    };
    pairs.iter().map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_file_is_told_without_what_stands_in_it() {
        let hash = "ab".repeat(32);
        for (text, told) in [
            (format!("[keys.a]\nsha256 = \"{hash}0\""), "key `a`: `sha256` must be"),
            (format!("[keys.a_b]\nsha256 = \"{hash}\""), "key `a_b`: an id has"),
            (format!("[keys.a]\nsha256 = \"{hash}\"\nscope = []"), "unknown field `scope`"),
            (format!("[keys.a]\nsha256 = \"{hash}\"\nexpires = 12:00:00"), "key `a`: `expires`"),
            ("[keys.a]\nscopes = []".into(), "missing field `sha256`"),
        ] {
            let error = Table::parse(&text).err().unwrap().to_string();
            assert!(error.contains(told) && !error.contains(&hash), "{text}\ngave {error}");
        }
        assert_eq!(Table::parse("").unwrap().len(), 0);
    }
}
