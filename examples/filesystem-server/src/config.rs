//! Settings from a file, the environment and the command line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline::filesystem::{ConfigError, Filesystem, FilesystemConfig};
use towline::ops::{self, Failure};

use crate::args::Args;

/// Everything that can be set.
pub(crate) type Config = ops::Config<Own>;

/// What can be set of this server alone.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Own {
    /// What is served.
    #[serde(default)]
    pub(crate) filesystem: FilesystemConfig,
    /// Whether clients are told when files change. Default: true.
    #[serde(default = "yes")]
    pub(crate) watch: bool,
}

const fn yes() -> bool {
    true
}

/// Brings together what the file, the environment and the command line say, and holds it against what can work.
pub(crate) fn load(
    args: &Args,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, Failure> {
    let mut config: Config = args.common.settings(environment)?.config()?;
    let roots = &mut config.own.filesystem.roots;
    if !args.roots.is_empty() {
        roots.clone_from(&args.roots);
    }
    if roots.is_empty() {
        return Err(Failure::settings(
            "no directory is set: give --root DIR, or [[filesystem.roots]] in the file of --config",
        ));
    }
    Ok(config)
}

/// Opens the directories.
pub(crate) fn open(config: &Config, args: &Args) -> Result<Filesystem, Failure> {
    Filesystem::open(&config.own.filesystem).map_err(|error| tell(config, args, &error))
}

fn tell(config: &Config, args: &Args, error: &ConfigError) -> Failure {
    // Of a directory on the command line, the file has no line; the operator knows it by its path.
    let named = args.roots.iter().enumerate().find(|(n, _)| error.key().starts_with(&format!("roots[{n}]")));
    match named {
        Some((_, root)) => Failure::settings(format!("--root {}: {}", root.path.display(), error.problem())),
        None => config.source.tell(&format!("filesystem.{}", error.key()), error.problem()),
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
        let opened = super::load(&args, std::iter::empty()).and_then(|config| open(&config, &args));
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
