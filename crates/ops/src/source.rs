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
        // A name in the file may hold a line break, and a mistake is one line.
        let shown = path.replace(char::is_control, " ");
        Failure::settings(match self.line_of(path) {
            Some(line) => format!("{}, line {line}: {shown}: {problem}", self.name),
            None => format!("setting {shown}: {problem}"),
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

    /// The same, of what stands beside these sections, which then are among those that an unknown one may have meant.
    pub(crate) fn explain_among(
        &self,
        error: &serde_path_to_error::Error<toml::de::Error>,
        sections: &[&str],
    ) -> Failure {
        let (path, mut problem) = (error.path().to_string(), without_values(error.inner().message()));
        if !path.contains(['.', '[']) && problem.starts_with("unknown field") {
            let sections: Vec<String> = sections.iter().map(|section| format!("`{section}`")).collect();
            problem.push_str(&format!(", or one of {}", sections.join(", ")));
        }
        self.tell(&path, &problem)
    }

    /// The line of the key at `path`, or of what is nearest around it.
    fn line_of(&self, path: &str) -> Option<usize> {
        let document = toml::de::DeTable::parse(&self.text).ok()?;
        let (mut table, mut rest) = (document.get_ref(), path);
        let mut found = None;
        while let Some((key, value, after)) = table
            .iter()
            .filter_map(|(key, value)| Some((key, value, after_key(rest, key.get_ref())?)))
            .min_by_key(|(_, _, after)| after.len())
        {
            found = Some(line_at(&self.text, key.span().start));
            let (mut value, mut after) = (value, after);
            while let (toml::de::DeValue::Array(items), Some((at, behind))) = (value.get_ref(), index(after))
            {
                let Some(item) = items.get(at) else { return found };
                found = Some(line_at(&self.text, item.span().start));
                (value, after) = (item, behind);
            }
            match value.get_ref() {
                toml::de::DeValue::Table(inner) => table = inner,
                _ => break,
            }
            rest = after.strip_prefix('.').unwrap_or(after);
        }
        found
    }
}

/// What follows a key at the beginning of a path, if it stands there. A key may have dots of its own, in quotes or not.
fn after_key<'a>(path: &'a str, key: &str) -> Option<&'a str> {
    let plain = path.strip_prefix(key);
    let quoted = || path.strip_prefix('"')?.strip_prefix(key)?.strip_prefix('"');
    plain.or_else(quoted).filter(|after| after.is_empty() || after.starts_with(['.', '[']))
}

/// The number in `[n]` at the beginning, and what follows.
fn index(path: &str) -> Option<(usize, &str)> {
    let (number, after) = path.strip_prefix('[')?.split_once(']')?;
    Some((number.parse().ok()?, after))
}

impl fmt::Debug for Source {
    /// Without the text: it may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a file cannot be read, in words for who named it.
pub(crate) fn reason(error: &std::io::Error) -> String {
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
                if got.starts_with("integer `-") && is_unsigned(expected) {
                    return "must not be negative".into();
                }
                let kind = got.split([' ', '`', '"']).next().unwrap_or_default();
                format!("expected {}, got a value of another kind ({kind})", in_words(expected))
            }
            None => "the value is of the wrong type".into(),
        },
        None => message.to_owned(),
    }
}

fn is_unsigned(expected: &str) -> bool {
    matches!(expected, "u8" | "u16" | "u32" | "u64" | "usize") || expected.starts_with("a nonzero u")
}

/// What serde calls by the names of Rust's types, as those know it who write TOML.
fn in_words(expected: &str) -> &str {
    match expected {
        "f32" | "f64" => "a number",
        "a boolean" | "bool" => "true or false",
        _ if is_unsigned(expected) || matches!(expected, "i32" | "i64") => "a whole number",
        _ if expected.starts_with("struct ") => "a table",
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str) -> String {
        let text = "[a]\nb = 1\n\n[a.\"c.d\"]\nlist = [\n    1,\n    { x = 2 },\n]\n";
        let source = Source { name: "file".into(), text: text.into() };
        source.tell(path, "is wrong").to_string()
    }

    #[test]
    fn the_nearest_line_is_told() {
        for (path, line) in [
            ("a.b", 2),
            ("a.\"c.d\".list", 5),
            ("a.c.d.list[1].x", 7),
            ("a.c.d.list[0]", 6),
            ("a.c.d.list[9]", 5),
            ("a.c.d.missing", 4),
            ("a.missing", 1),
        ] {
            assert_eq!(told(path), format!("file, line {line}: {path}: is wrong"));
        }
        assert_eq!(told("missing"), "setting missing: is wrong");
        assert_eq!(told("a\nb"), "setting a b: is wrong");
    }

    #[test]
    fn types_are_told_in_words() {
        for (message, told) in [
            ("invalid value: integer `-5`, expected u64", "must not be negative"),
            (
                "invalid type: string \"x\", expected u64",
                "expected a whole number, got a value of another kind (string)",
            ),
            (
                "invalid type: string \"x\", expected struct Limits",
                "expected a table, got a value of another kind (string)",
            ),
        ] {
            assert_eq!(without_values(message), told);
        }
    }
}
