use std::fmt;
use std::path::Path;

use toml::Table;
use towline_middleware::ConfigError;

use crate::Failure;

/// The file that settings come from, to say where in it a mistake is.
#[derive(Clone, Default)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    pub(crate) fn read(path: &Path) -> Result<(Table, Self), Failure> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::settings(format!("cannot read {name}: {}", reason(&error))))?;
        let table = text.parse::<Table>().map_err(|error| {
            let line = error.span().map_or(1, |span| line_at(&text, span.start));
            Failure::settings(format!("{name}, line {line}: not TOML: {}", error.message()))
        })?;
        Ok((table, Self { name, text }))
    }

    /// A mistake in the value at `path`, such as `server.listen`: told with the line, if the file has that key.
    pub fn tell(&self, path: &str, problem: &str) -> Failure {
        Failure::settings(match self.line_of(path) {
            Some(line) => format!("{}, line {line}: {path}: {problem}", self.name),
            None => format!("setting {path}: {problem}"),
        })
    }

    /// A mistake in the section `layers`.
    pub fn tell_layers(&self, error: ConfigError) -> Failure {
        let error = error.within("layers");
        self.tell(error.key(), error.problem())
    }

    pub(crate) fn explain(&self, error: &serde_path_to_error::Error<toml::de::Error>) -> Failure {
        self.tell(&error.path().to_string(), &without_values(error.inner().message()))
    }

    fn line_of(&self, path: &str) -> Option<usize> {
        let document = toml::de::DeTable::parse(&self.text).ok()?;
        let mut table = document.get_ref();
        let mut found = None;
        for step in path.split('.') {
            let (key, value) = table.iter().find(|(key, _)| key.get_ref() == step)?;
            found = Some(line_at(&self.text, key.span().start));
            match value.get_ref() {
                toml::de::DeValue::Table(inner) => table = inner,
                _ => break,
            }
        }
        found
    }
}

impl fmt::Debug for Source {
    /// Without the text: it may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".into(),
        other => other.to_string(),
    }
}

fn line_at(text: &str, at: usize) -> usize {
    text[..at.min(text.len())].bytes().filter(|byte| *byte == b'\n').count() + 1
}

/// serde quotes a value of the wrong type, and a secret may stand in the wrong place.
fn without_values(message: &str) -> String {
    match message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: ")) {
        Some(rest) => match rest.rsplit_once(", expected ") {
            Some((got, expected)) => {
                let kind = got.split([' ', '`', '"']).next().unwrap_or_default();
                format!("expected {expected}, got a value of another kind ({kind})")
            }
            None => "the value is of the wrong type".into(),
        },
        None => message.to_owned(),
    }
}
