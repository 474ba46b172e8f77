//! Everything that a server program can be told.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use towline_middleware::StackConfig;

use crate::said::Said;
use crate::{AdminConfig, AuthConfig, Failure, LogConfig, ServerConfig, Settings, Source};

/// Everything that a server program can be told: what all of them have in common, and the sections of its own.
///
/// `P` is a struct with a field for each section of the program's, and `#[serde(deny_unknown_fields)]`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config<P> {
    /// How to serve.
    pub server: ServerConfig,
    /// Where operators look.
    pub admin: AdminConfig,
    /// Who may call over HTTP, and what.
    pub auth: AuthConfig,
    /// What stands around the server and its tools.
    pub layers: StackConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// The program's own sections.
    pub own: P,
    /// Where it all comes from, to tell mistakes that show only later.
    pub source: Source,
    /// As it was said, to find out what has changed.
    pub(crate) said: Said,
}

/// The sections that all programs have.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Common {
    /// How to serve.
    pub(crate) server: ServerConfig,
    /// Where operators look.
    pub(crate) admin: AdminConfig,
    /// Who may call over HTTP, and what. Without it, anybody may who can reach the port.
    pub(crate) auth: AuthConfig,
    /// What stands around the server and its tools.
    pub(crate) layers: StackConfig,
    /// What is logged, and how.
    pub(crate) log: LogConfig,
}

/// Their names.
const COMMON: [&str; 5] = ["server", "admin", "auth", "layers", "log"];

impl Settings {
    /// Makes of it what a program can be told, and holds what is common against what can work.
    ///
    /// # Errors
    ///
    /// Names the key, and the line of the file if it stands there. No value is shown.
    pub fn config<P: DeserializeOwned>(self) -> Result<Config<P>, Failure> {
        let (table, source) = self.into_parts();
        let (common, own): (Table, Table) =
            table.clone().into_iter().partition(|(section, _)| COMMON.contains(&section.as_str()));
        let common = serde_path_to_error::deserialize(common).map_err(|error| source.explain(&error))?;
        let own =
            serde_path_to_error::deserialize(own).map_err(|error| source.explain_among(&error, &COMMON))?;
        let Common { server, admin, auth, layers, log } = common;
        let config = Config { server, admin, auth, layers, log, own, source, said: Said::new(table) };
        config.log.check(&config.source)?;
        config.server.check(&config.auth, &config.source)?;
        config.layers.validate().map_err(|error| config.source.tell_layers(error))?;
        Ok(config)
    }
}

impl<P: Serialize> Config<P> {
    /// All settings as TOML, those that nobody has set with their defaults, and without a secret.
    ///
    /// # Errors
    ///
    /// When TOML has no form for a value.
    pub fn to_toml(&self) -> Result<String, Failure> {
        let write = || {
            let mut table = Table::try_from(&self.own)?;
            table.insert("server".into(), Value::try_from(&self.server)?);
            table.insert("admin".into(), Value::try_from(&self.admin)?);
            table.insert("auth".into(), Value::try_from(&self.auth)?);
            table.insert("layers".into(), Value::try_from(&self.layers)?);
            table.insert("log".into(), Value::try_from(&self.log)?);
            toml::to_string(&table)
        };
        let failed = |error: toml::ser::Error| Failure::settings(format!("cannot be shown as TOML: {error}"));
        write().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Own {
        #[serde(default)]
        greetings: Vec<Greeting>,
    }

    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Greeting {
        text: String,
    }

    fn read(text: &str) -> Result<Config<Own>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.toml");
        std::fs::write(&file, text).unwrap();
        let read = Settings::read(Some(&file), []).and_then(Settings::config);
        read.map_err(|error| error.to_string().replace(file.to_str().unwrap(), "server.toml"))
    }

    #[test]
    fn common_sections_and_those_of_the_program_are_read() {
        let config = read("[server]\npath = \"/m\"\n[[greetings]]\ntext = \"Hello\"\n").unwrap();
        assert_eq!((config.server.path.as_str(), config.own.greetings[0].text.as_str()), ("/m", "Hello"));
        assert_eq!(config.server.sessions.max, 10_000);
    }

    #[test]
    fn a_mistake_is_named_by_line_and_key_wherever_it_is() {
        for (text, told) in [
            (
                "\n[sever]",
                "server.toml, line 2: sever: unknown field `sever`, expected `greetings`, or one of `server`, `admin`, `auth`, `layers`, `log`",
            ),
            (
                "server = 5",
                "server.toml, line 1: server: expected a table, got a value of another kind (integer)",
            ),
            ("[server]\nlisten = 5", "server.toml, line 2: server.listen: expected"),
            ("[server.sessions]\nmax = -1", "server.toml, line 2: server.sessions.max: must not be negative"),
            (
                "[server.sessions]\nidle_ms = 0",
                "server.toml, line 2: server.sessions.idle_ms: must be more than 0",
            ),
            ("[[greetings]]\ntext = 5", "server.toml, line 2: greetings[0].text: expected a string"),
            (
                "[[greetings]]\ntxt = 5",
                "server.toml, line 2: greetings[0].txt: unknown field `txt`, expected `text`",
            ),
            ("[layers.tools]\nretry = 5", "server.toml, line 2: layers.tools.retry: expected true, false"),
            (
                "[layers.tools]\ntimeout = { timeout_ms = 0 }",
                "server.toml, line 2: layers.tools.timeout.timeout_ms: must be",
            ),
            ("[log]\nfilter = \"==\"", "server.toml, line 2: log.filter: not a filter"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(told), "{text}\ngave {error}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read() {
        let config =
            read("[server]\nallowed_hosts = [\"A.example:1\"]\n[[greetings]]\ntext = \"Hello\"\n").unwrap();
        let shown = config.to_toml().unwrap();
        assert!(shown.contains("allowed_hosts = [\"a.example:1\"]"), "{shown}");
        assert_eq!(read(&shown).unwrap().to_toml().unwrap(), shown);
    }
}
