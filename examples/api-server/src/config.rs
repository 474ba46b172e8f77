//! Settings from a file, the environment and the command line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline::http_api::{ApisConfig, ConfigError};
use towline::middleware::Switch;
use towline::ops::{self, Failure, Source};

use crate::args::Args;

/// Everything that can be set.
pub(crate) type Config = ops::Config<Own>;

/// What can be set of this server alone. Each API has a breaker, a limit and retries of its own.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Own {
    /// The APIs, by the names that callers use.
    #[serde(default)]
    pub(crate) apis: ApisConfig,
}

/// Brings together what the file, the environment and the command line say, and holds it against what can work.
pub(crate) fn load(
    args: &Args,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, Failure> {
    let mut config: Config = args.common.settings(environment)?.config()?;
    let apis = &config.own.apis;
    if apis.0.is_empty() {
        return Err(Failure::settings("no API is set: give an [apis.NAME] section in the file of --config"));
    }
    apis.validate().map_err(|error| tell(&config.source, &error))?;
    // An API retries by itself what it may repeat; doing so again around the tool would multiply the attempts.
    config.layers.tools.retry.get_or_insert(Switch::Off);
    Ok(config)
}

/// A mistake in the settings of an API.
pub(crate) fn tell(source: &Source, error: &ConfigError) -> Failure {
    let key = match error.api() {
        Some(api) => format!("apis.{api}.{}", error.key()),
        None => format!("apis.{}", error.key()),
    };
    source.tell(&key, error.problem())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn load(file: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("apis.toml");
        std::fs::write(&path, file).unwrap();
        let path = path.to_str().unwrap();
        let args = Args::parse_from(["api-server", "--config", path].iter().chain(arguments));
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        super::load(&args, environment).map_err(|error| error.to_string().replace(path, "apis.toml"))
    }

    const FILE: &str = "[apis.shop]\nbase_url = \"https://shop.example/v1\"\ntimeout_ms = 1000\n";

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = load(FILE, &[], &[("TOWLINE__APIS__SHOP__TIMEOUT_MS", "2000")]).unwrap();
        assert_eq!(config.own.apis.0["shop"].timeout.as_millis(), 2000);
        assert!(load(FILE, &["--stdio"], &[]).unwrap().server.stdio);
    }

    #[test]
    fn a_tool_is_not_retried_around_an_api_that_retries_unless_asked_for() {
        let config = load(FILE, &[], &[]).unwrap();
        assert!(config.layers.tools.retry.unwrap().on().is_none());
        let config = load(&(FILE.to_owned() + "[layers.tools]\nretry = true\n"), &[], &[]).unwrap();
        assert!(config.layers.tools.retry.unwrap().on().is_some());
    }

    #[test]
    fn a_mistake_names_line_and_key_and_no_secret() {
        let with = |line: &str| FILE.to_owned() + line + "\n";
        for (file, expected) in [
            (with("timeout = 1"), "apis.toml, line 4: apis.shop.timeout: unknown field `timeout`"),
            (with("max_redirects = \"hunter2\""), "apis.toml, line 4: apis.shop.max_redirects: expected"),
            (with("max_redirects = 21"), "apis.toml, line 4: apis.shop.max_redirects: must be at most 20"),
            (with("auth = { type = \"bearer\" }"), "apis.toml, line 4: apis.shop.auth"),
            (with("rate_limit = { requests = 0, window_ms = 1 }"), "apis.toml, line 4: apis.shop.rate_limit"),
            (with("openapi = {}"), "apis.toml, line 4: apis.shop.openapi: must say"),
            (with("[apis.other]\nbase_url = \"ftp://x\""), "apis.toml, line 5: apis.other.base_url"),
            ("[apis.shop]\n".into(), "apis.shop.base_url"),
            ("[server]\nport = 1\n".into(), "apis.toml, line 2: server.port: unknown field"),
            (
                with("[layers.tools]\nretry = 5"),
                "apis.toml, line 5: layers.tools.retry: expected true, false",
            ),
            (String::new(), "no API is set"),
            (with("[server]\nlisten = \"0.0.0.0:1\""), "lets other machines use the tools"),
        ] {
            let error = load(&file, &[], &[]).unwrap_err();
            assert!(error.contains(expected), "{file}\ngave {error}");
            assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
        }
    }
}
