//! Settings from a file, the environment and the command line.

use serde::Deserialize;
use towline::filesystem::{ConfigError, Filesystem, FilesystemConfig};
use towline::middleware::StackConfig;
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
    #[serde(default)]
    pub(crate) filesystem: FilesystemConfig,
    /// Whether clients are told when files change.
    #[serde(default = "yes")]
    pub(crate) watch: bool,
    /// What stands around the server and its tools.
    #[serde(default)]
    pub(crate) layers: StackConfig,
    /// Where the settings come from, to tell mistakes that show only later.
    #[serde(skip)]
    pub(crate) source: Source,
}

const fn yes() -> bool {
    true
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
        if !args.roots.is_empty() {
            config.filesystem.roots.clone_from(&args.roots);
        }
        if config.filesystem.roots.is_empty() {
            return Err(Failure::settings(
                "no directory is set: give --root DIR, or [[filesystem.roots]] in the file of --config",
            ));
        }
        config.layers.validate().map_err(|error| config.tell_layers(error))?;
        Ok(config)
    }

    /// Opens the directories.
    pub(crate) fn open(&self, args: &Args) -> Result<Filesystem, Failure> {
        Filesystem::open(&self.filesystem).map_err(|error| self.tell(args, &error))
    }

    fn tell(&self, args: &Args, error: &ConfigError) -> Failure {
        // Of a directory on the command line, the file has no line; the operator knows it by its path.
        let named =
            args.roots.iter().enumerate().find(|(n, _)| error.key().starts_with(&format!("roots[{n}]")));
        match named {
            Some((_, root)) => {
                Failure::settings(format!("--root {}: {}", root.path.display(), error.problem()))
            }
            None => self.source.tell(&format!("filesystem.{}", error.key()), error.problem()),
        }
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

    fn load(file: &str, arguments: &[&str]) -> Result<Vec<(String, bool)>, String> {
        let folder = tempfile::tempdir().unwrap();
        for name in ["notes", "drafts"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let at = folder.path().to_str().unwrap();
        let path = folder.path().join("files.toml");
        std::fs::write(&path, file.replace("AT", at)).unwrap();
        let arguments = arguments.iter().map(|argument| argument.replace("AT", at));
        let config =
            ["filesystem-server".to_owned(), "--config".to_owned(), path.to_str().unwrap().to_owned()];
        let args = Args::parse_from(config.into_iter().chain(arguments));
        let opened = Config::load(&args, std::iter::empty()).and_then(|config| config.open(&args));
        let opened = opened.map_err(|error| error.to_string().replace(at, "AT"))?;
        Ok(opened.roots().map(|(name, read_only)| (name.to_owned(), read_only)).collect())
    }

    const FILE: &str = "[[filesystem.roots]]\npath = \"AT/notes\"\nread_only = true\n";

    #[test]
    fn the_command_line_wins_over_the_file() {
        assert_eq!(load(FILE, &[]).unwrap(), [("notes".to_owned(), true)]);
        let roots = load(FILE, &["--root", "AT/drafts", "--root", "AT/notes:ro"]).unwrap();
        assert_eq!(roots, [("drafts".to_owned(), false), ("notes".to_owned(), true)]);
    }

    #[test]
    fn a_mistake_names_where_it_is() {
        for (file, arguments, expected) in [
            ("", vec![], "no directory is set"),
            ("", vec!["--root", "AT/none"], "--root AT/none: there is no such directory"),
            ("", vec!["--root", "AT/files.toml:ro"], "--root AT/files.toml: is no directory"),
            (
                "[[filesystem.roots]]\npath = \"AT/none\"\n",
                vec![],
                "AT/files.toml, line 2: filesystem.roots[0].path: there is no such directory",
            ),
            (
                "[filesystem]\ndeny = [\"[\"]\n",
                vec!["--root", "AT/notes"],
                "AT/files.toml, line 2: filesystem.deny[0]",
            ),
            ("[filesystem]\nroot = 1\n", vec![], "AT/files.toml, line 2: filesystem.root: unknown field"),
        ] {
            let error = load(file, &arguments).unwrap_err();
            assert!(error.contains(expected), "{file}\ngave {error}");
        }
    }
}
