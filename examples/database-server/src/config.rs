//! Settings from a file, the environment and the command line.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use toml::{Table, Value};
use towline::http::{Host, Origin};
use towline::middleware::{self, StackConfig};
use towline::postgres::DatabaseConfig;

use crate::args::Args;

/// The name of the database that `--database-url` and `DATABASE_URL` set.
const DEFAULT_DATABASE: &str = "default";

/// Environment variables that begin so set keys of the file.
const PREFIX: &str = "TOWLINE__";

/// Everything that can be set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) server: ServerConfig,
    /// By the name that callers use.
    #[serde(default)]
    pub(crate) databases: BTreeMap<String, DatabaseConfig>,
    /// What stands around the server, its tools and its databases.
    #[serde(default)]
    pub(crate) layers: StackConfig,
    /// Where the settings come from, to tell mistakes that show only later.
    #[serde(skip)]
    source: Source,
}

/// How to serve.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerConfig {
    /// Address and port for HTTP.
    pub(crate) listen: SocketAddr,
    /// Standard input and output instead of HTTP.
    pub(crate) stdio: bool,
    /// The path of the MCP endpoint.
    pub(crate) path: String,
    /// Names besides loopback ones that clients may reach the server by (the `Host` header).
    #[serde(deserialize_with = "parsed")]
    pub(crate) allowed_hosts: Vec<Host>,
    /// Web pages that may call the server (the `Origin` header).
    #[serde(deserialize_with = "parsed")]
    pub(crate) allowed_origins: Vec<Origin>,
    /// Serve other machines without authentication.
    pub(crate) allow_unauthenticated: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            stdio: false,
            path: "/mcp".into(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            allow_unauthenticated: false,
        }
    }
}

/// A list of texts, each in a form of its own.
fn parsed<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}

/// A setting that must be changed. It never shows a value: that may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Config {
    /// Brings together what the file, the environment and the command line say.
    pub(crate) fn load(
        args: &Args,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let (mut settings, file) = match args.config.as_ref().filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => read(path)?,
            None => (Table::new(), Source::default()),
        };
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix(PREFIX) {
                set(
                    &mut settings,
                    &key.to_lowercase().split("__").collect::<Vec<_>>(),
                    from_environment(value),
                )
                .map_err(|problem| ConfigError(format!("environment variable {name}: {problem}")))?;
            }
        }
        let mut set = |path: &[&str], value: Value| set(&mut settings, path, value).map_err(ConfigError);
        // A variable that is empty is as good as none.
        if let Some(url) = args.database_url.as_ref().filter(|url| !url.is_empty()) {
            set(&["databases", DEFAULT_DATABASE, "url"], url.as_str().into())?;
        }
        if let Some(listen) = args.listen {
            set(&["server", "listen"], listen.to_string().into())?;
            set(&["server", "stdio"], false.into())?;
        }
        if args.stdio {
            set(&["server", "stdio"], true.into())?;
        }
        if args.allow_unauthenticated {
            set(&["server", "allow_unauthenticated"], true.into())?;
        }
        let mut config: Self =
            serde_path_to_error::deserialize(settings).map_err(|error| file.explain(&error))?;
        config.source = file;
        config.check()
    }

    /// A mistake in the layers, told with the line of the file if it is there.
    pub(crate) fn explain_layers(&self, error: middleware::ConfigError) -> ConfigError {
        let error = error.within("layers");
        self.source.tell(error.key(), error.problem())
    }

    /// Holds the settings against what can work.
    fn check(mut self) -> Result<Self, ConfigError> {
        let server = &self.server;
        if !server.path.starts_with('/') {
            return Err(ConfigError("server.path must begin with `/`".into()));
        }
        if !server.stdio && !server.listen.ip().is_loopback() && !server.allow_unauthenticated {
            return Err(ConfigError(format!(
                "server.listen: {} lets other machines read the databases without authentication; listen on \
                 127.0.0.1, or say --allow-unauthenticated if the network keeps strangers out",
                server.listen
            )));
        }
        if self.databases.is_empty() {
            return Err(ConfigError(
                "no database is set: give --database-url, DATABASE_URL, or a [databases.NAME] section in the file \
                 of --config"
                    .into(),
            ));
        }
        self.layers.validate().map_err(|error| self.explain_layers(error))?;
        for (name, database) in &mut self.databases {
            database.name.clone_from(name);
            database.validate().map_err(|error| ConfigError(error.to_string()))?;
        }
        Ok(self)
    }
}

/// A value from the environment: as TOML if it is a number, a flag or a list, else as text.
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

fn read(path: &Path) -> Result<(Table, Source), ConfigError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("cannot read {name}: {}", reason(&error))))?;
    let table = text.parse::<Table>().map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(&text, span.start));
        ConfigError(format!("{name}, line {line}: not TOML: {}", error.message()))
    })?;
    Ok((table, Source { name, text }))
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".into(),
        other => other.to_string(),
    }
}

/// The file that settings come from, to say where in it a mistake is.
#[derive(Debug, Default)]
struct Source {
    name: String,
    text: String,
}

impl Source {
    /// Names the key, and the line if the key stands in the file.
    fn explain(&self, error: &serde_path_to_error::Error<toml::de::Error>) -> ConfigError {
        let path = error.path().to_string();
        self.tell(&path, &without_values(error.inner().message()))
    }

    fn tell(&self, path: &str, problem: &str) -> ConfigError {
        match self.line_of(path) {
            Some(line) => ConfigError(format!("{}, line {line}: {path}: {problem}", self.name)),
            None => ConfigError(format!("setting {path}: {problem}")),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn load(file: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        std::fs::write(&path, file).unwrap();
        let path = path.to_str().unwrap();
        let args = Args::parse_from(["database-server", "--config", path].iter().chain(arguments));
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(&args, environment).map_err(|error| error.to_string().replace(path, "server.toml"))
    }

    const FILE: &str = "[server]\nlisten = \"127.0.0.1:1\"\n\n[databases.shop]\nurl = \"postgres://u:hunter2@h/shop\"\nmax_rows = 7\n";

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        let config = load(FILE, &[], &[]).unwrap();
        assert_eq!((config.server.listen.port(), config.databases["shop"].max_rows), (1, 7));
        let environment =
            [("TOWLINE__SERVER__LISTEN", "127.0.0.1:2"), ("TOWLINE__DATABASES__SHOP__MAX_ROWS", "8")];
        let config = load(FILE, &[], &environment).unwrap();
        assert_eq!((config.server.listen.port(), config.databases["shop"].max_rows), (2, 8));
        let config = load(FILE, &["--listen", "127.0.0.1:3"], &environment).unwrap();
        assert_eq!(config.server.listen.port(), 3);
        assert!(load(FILE, &["--stdio"], &environment).unwrap().server.stdio);
    }

    #[test]
    fn a_mistake_names_line_and_key_and_no_secret() {
        let with = |line: &str| FILE.to_owned() + line + "\n";
        for (file, expected) in [
            (with("max_row = 1"), "server.toml, line 7: databases.shop.max_row: unknown field `max_row`"),
            (
                with("pool_max_size = \"hunter2\""),
                "server.toml, line 7: databases.shop.pool_max_size: expected",
            ),
            (with("pool_max_size = 0"), "database `shop`: `pool_max_size` must be"),
            ("[server]\nlisten = 8080\n".into(), "server.toml, line 2: server.listen:"),
            ("databases = \"postgres://u:hunter2@h/d\"\n".into(), "server.toml, line 1: databases: expected"),
            ("[databases.a]\nurl = \"hunter2\"\n".into(), "database `a`: `url`"),
            ("[databases.a]\nmax_rows = 1\n".into(), "missing field `url`"),
            ("[server\n".into(), "server.toml, line 1: not TOML"),
            (
                with("\n[layers.server]\ntimeout = { timeout_ms = 0 }"),
                "server.toml, line 9: layers.server.timeout.timeout_ms: must be more than 0",
            ),
            (
                with("\n[layers.tool.execute_query]\nretry = false\nretyr = false"),
                "server.toml, line 10: layers.tool.execute_query.retyr: unknown field `retyr`",
            ),
            (
                with("\n[layers.upstream.shop.circuit_breaker]\nfailure_rate = 3"),
                "server.toml, line 9: layers.upstream.shop.circuit_breaker.failure_rate: must be",
            ),
            (
                with("\n[layers.tools]\nretry = 5"),
                "server.toml, line 9: layers.tools.retry: expected true, false",
            ),
            (String::new(), "no database is set"),
            (FILE.replace("127.0.0.1:1", "0.0.0.0:1"), "lets other machines read the databases"),
        ] {
            let error = load(&file, &[], &[]).unwrap_err();
            assert!(error.contains(expected), "{file}\ngave {error}");
            assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
        }
    }
}
