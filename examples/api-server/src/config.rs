//! Settings from a file, the environment and the command line.

use serde::Deserialize;
use towline::http_api::{self, ApisConfig};
use towline::middleware::{StackConfig, Switch};
use towline::ops::{AdminConfig, AuthConfig, Failure, ServerConfig, Source};

use crate::args::Args;

/// Everything that can be set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) server: ServerConfig,
    /// Where operators look.
    #[serde(default)]
    pub(crate) admin: AdminConfig,
    /// Who may call over HTTP, and what.
    #[serde(default)]
    pub(crate) auth: AuthConfig,
    /// By the name that callers use.
    #[serde(default)]
    pub(crate) apis: ApisConfig,
    /// What stands around the server and its tools. Each API has a breaker, a limit and retries of its own.
    #[serde(default)]
    pub(crate) layers: StackConfig,
    /// Where the settings come from, to tell mistakes that show only later.
    #[serde(skip)]
    pub(crate) source: Source,
}

impl Config {
    /// Brings together what the file, the environment and the command line say.
    pub(crate) fn load(
        args: &Args,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Failure> {
        let (mut config, source) = args.common.settings(environment)?.parse::<Self>()?;
        config.source = source;
        config.server.check(&config.auth, &config.source)?;
        if config.apis.0.is_empty() {
            return Err(Failure::settings(
                "no API is set: give an [apis.NAME] section in the file of --config",
            ));
        }
        config.apis.validate().map_err(|error| config.tell_api(&error))?;
        config.layers.validate().map_err(|error| config.tell_layers(error))?;
        // An API retries by itself what it may repeat; doing so again around the tool would multiply the attempts.
        config.layers.tools.retry.get_or_insert(Switch::Off);
        Ok(config)
    }

    /// A mistake in the settings of an API.
    pub(crate) fn tell_api(&self, error: &http_api::ConfigError) -> Failure {
        let key = match error.api() {
            Some(api) => format!("apis.{api}.{}", error.key()),
            None => format!("apis.{}", error.key()),
        };
        self.source.tell(&key, error.problem())
    }

    /// A mistake in the settings of the layers.
    pub(crate) fn tell_layers(&self, error: towline::middleware::ConfigError) -> Failure {
        self.source.tell_layers(error)
    }
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
        Config::load(&args, environment).map_err(|error| error.to_string().replace(path, "apis.toml"))
    }

    const FILE: &str = "[apis.shop]\nbase_url = \"https://shop.example/v1\"\ntimeout_ms = 1000\n";

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = load(FILE, &[], &[("TOWLINE__APIS__SHOP__TIMEOUT_MS", "2000")]).unwrap();
        assert_eq!(config.apis.0["shop"].timeout.as_millis(), 2000);
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
