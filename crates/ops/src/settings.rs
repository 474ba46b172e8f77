use std::fmt;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{Failure, Source};

/// Environment variables that begin so set keys of the file.
const PREFIX: &str = "TOWLINE__";

/// What a file, the environment and the command line say, before it is known what any of it means.
#[derive(Default)]
pub struct Settings {
    table: Table,
    source: Source,
}

impl Settings {
    /// Reads the TOML file, if there is one, and sets what the environment says: `TOWLINE__SERVER__LISTEN` sets `listen`
    /// in `[server]`. A variable is taken as TOML if it is a number, a flag or a list, else as text.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is no TOML, or a variable names no key.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Failure> {
        let (table, source) = match file {
            Some(path) => Source::read(path)?,
            None => Default::default(),
        };
        let mut settings = Self { table, source };
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix(PREFIX) {
                let key = key.to_lowercase();
                let path: Vec<&str> = key.split("__").collect();
                set(&mut settings.table, &path, from_environment(value)).map_err(|problem| {
                    Failure::settings(format!("environment variable {name}: {problem}"))
                })?;
            }
        }
        Ok(settings)
    }

    /// Sets a key in place of what was said of it so far.
    ///
    /// # Errors
    ///
    /// When `path` leads through something that is no section.
    pub fn set(&mut self, path: &[&str], value: impl Into<Value>) -> Result<(), Failure> {
        set(&mut self.table, path, value.into()).map_err(Failure::settings)
    }

    pub(crate) fn into_parts(self) -> (Table, Source) {
        (self.table, self.source)
    }

    /// Makes of it what the program understands. The [`Source`] tells mistakes that show only later.
    ///
    /// # Errors
    ///
    /// Names the key, and the line of the file if it stands there. No value is shown.
    pub fn parse<T: DeserializeOwned>(self) -> Result<(T, Source), Failure> {
        let Self { table, source } = self;
        match serde_path_to_error::deserialize(table) {
            Ok(config) => Ok((config, source)),
            Err(error) => Err(source.explain(&error)),
        }
    }
}

impl fmt::Debug for Settings {
    /// Without the values: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("source", &self.source).finish_non_exhaustive()
    }
}

fn from_environment(text: String) -> Value {
    match text.parse::<Value>() {
        Ok(value @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Array(_))) => value,
        _ => Value::String(text),
    }
}

fn set(settings: &mut Table, path: &[&str], value: Value) -> Result<(), String> {
    match path {
        [] | [""] => Err("names no key".into()),
        [key] => {
            settings.insert((*key).to_owned(), value);
            Ok(())
        }
        [section, rest @ ..] => match settings.entry(*section).or_insert_with(|| Table::new().into()) {
            Value::Table(inner) => set(inner, rest, value),
            _ => Err(format!("`{section}` is no section")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_their_source_show_no_value_where_they_are_logged() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.toml");
        std::fs::write(&file, "password = \"hunter2\"\n").unwrap();
        let settings = Settings::read(Some(&file), []).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
        let (_, source) = settings.parse::<Table>().unwrap();
        assert!(!format!("{source:?}").contains("hunter2"));
    }

    #[test]
    fn a_variable_is_toml_where_it_is_no_text() {
        let variable = |value: &str| ("TOWLINE__A__B".to_owned(), value.to_owned());
        for (value, expected) in [
            ("7", Value::Integer(7)),
            ("true", Value::Boolean(true)),
            ("[\"x\"]", Value::Array(vec!["x".into()])),
            ("127.0.0.1:80", "127.0.0.1:80".into()),
            ("{a = 1}", "{a = 1}".into()),
        ] {
            let settings = Settings::read(None, [variable(value)]).unwrap();
            let (table, _) = settings.parse::<Table>().unwrap();
            assert_eq!(table["a"]["b"], expected, "{value}");
        }
    }

    #[test]
    fn a_variable_that_leads_through_a_value_is_an_error_that_names_it() {
        let environment = ["TOWLINE__A", "TOWLINE__A__B"].map(|name| (name.to_owned(), "1".to_owned()));
        let error = Settings::read(None, environment).unwrap_err().to_string();
        assert_eq!(error, "environment variable TOWLINE__A__B: `a` is no section");
    }
}
