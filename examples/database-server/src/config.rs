//! Settings from a file, the environment and the command line.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline::ops::{self, Failure};
use towline::postgres::DatabaseConfig;

use crate::args::Args;

/// The name of the database that `--database-url` and `DATABASE_URL` set.
const DEFAULT_DATABASE: &str = "default";

/// Everything that can be set.
pub(crate) type Config = ops::Config<Own>;

/// What can be set of this server alone.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Own {
    /// The databases, by the names that callers use.
    #[serde(default)]
    pub(crate) databases: BTreeMap<String, DatabaseConfig>,
}

/// Brings together what the file, the environment and the command line say, and holds it against what can work.
pub(crate) fn load(
    args: &Args,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, Failure> {
    let mut settings = args.common.settings(environment)?;
    // A variable that is empty is as good as none.
    if let Some(url) = args.database_url.as_ref().filter(|url| !url.is_empty()) {
        settings.set(&["databases", DEFAULT_DATABASE, "url"], url.as_str())?;
    }
    let mut config: Config = settings.config()?;
    if config.own.databases.is_empty() {
        return Err(Failure::settings(
            "no database is set: give --database-url, DATABASE_URL, or a [databases.NAME] section in the file of \
             --config",
        ));
    }
    for (name, database) in &mut config.own.databases {
        database.name.clone_from(name);
        let tell = |error: towline::postgres::ConfigError| {
            config.source.tell(&format!("databases.{name}.{}", error.key()), error.problem())
        };
        database.validate().map_err(tell)?;
    }
    Ok(config)
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
        super::load(&args, environment).map_err(|error| error.to_string().replace(path, "server.toml"))
    }

    const FILE: &str = "[server]\nlisten = \"127.0.0.1:1\"\n\n[databases.shop]\nurl = \"postgres://u:hunter2@h/shop\"\nmax_rows = 7\n";

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        let config = load(FILE, &[], &[]).unwrap();
        assert_eq!((config.server.listen.port(), config.own.databases["shop"].max_rows), (1, 7));
        let environment =
            [("TOWLINE__SERVER__LISTEN", "127.0.0.1:2"), ("TOWLINE__DATABASES__SHOP__MAX_ROWS", "8")];
        let config = load(FILE, &[], &environment).unwrap();
        assert_eq!((config.server.listen.port(), config.own.databases["shop"].max_rows), (2, 8));
        let config = load(FILE, &["--listen", "127.0.0.1:3"], &environment).unwrap();
        assert_eq!(config.server.listen.port(), 3);
        assert!(load(FILE, &["--stdio"], &environment).unwrap().server.stdio);
    }

    #[test]
    fn other_machines_are_served_if_callers_are_known_or_it_is_asked_for_in_plain_words() {
        let open = FILE.replace("127.0.0.1:1", "0.0.0.0:1");
        assert!(load(&open, &["--allow-unauthenticated"], &[]).is_ok());
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys.toml");
        std::fs::write(&keys, "").unwrap();
        let auth = format!("[auth]\napi_keys = {keys:?}\nscopes.tools.execute_query = [\"db:read\"]\n");
        assert!(load(&format!("{open}\n{auth}"), &[], &[]).is_ok());
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
            (with("pool_max_size = 0"), "server.toml, line 7: databases.shop.pool_max_size: must be"),
            ("[server]\nlisten = 8080\n".into(), "server.toml, line 2: server.listen:"),
            ("databases = \"postgres://u:hunter2@h/d\"\n".into(), "server.toml, line 1: databases: expected"),
            ("[databases.a]\nurl = \"hunter2\"\n".into(), "server.toml, line 2: databases.a.url:"),
            ("[databases.a]\nmax_rows = 1\n".into(), "databases.a.url: is missing"),
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
            (FILE.replace("127.0.0.1:1", "0.0.0.0:1"), "lets other machines use the tools"),
            (with("\n[auth]\napi_keys = \"/nowhere\""), "server.toml, line 9: auth.api_keys: cannot be read"),
            (
                with("\n[auth.scopes]\ntools = { a = [\"x\"] }"),
                "auth: protects nothing without `api_keys` or `jwt`",
            ),
            (
                with("\n[auth.jwt]\nissuer = \"https://i\"\njwks_url = \"https://i/keys\""),
                "auth.resource: is missing",
            ),
            (
                with(
                    "\n[auth]\nresource = \"https://m/mcp\"\njwt = { issuer = \"i\", jwks_url = \"http://i\" }",
                ),
                "server.toml, line 10: auth.jwt.jwks_url: must be an https:// URL",
            ),
            (
                with("\n[auth.jwt]\nissuer = \"i\"\njwks_url = \"https://i\"\nalgorithms = [\"HS256\"]"),
                "server.toml, line 11: auth.jwt.algorithms[0]: unknown variant",
            ),
        ] {
            let error = load(&file, &[], &[]).unwrap_err();
            assert!(error.contains(expected), "{file}\ngave {error}");
            assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
        }
    }
}
