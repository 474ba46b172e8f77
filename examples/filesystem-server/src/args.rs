//! The command line.

use clap::Parser;
use towline::filesystem::RootConfig;
use towline::ops;

/// Lets an AI application read and write files: in the directories that the settings name, and nowhere else.
///
/// Settings come from the file given with --config, then from environment variables, then from the command line; the
/// last one wins. Any key of the file can be set as TOWLINE__SECTION__KEY, such as TOWLINE__SERVER__LISTEN.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 110, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Serve this directory; with :ro behind it, for reading only. May be given again. In place of the file's
    #[arg(long = "root", value_name = "DIR[:ro]", value_parser = root)]
    pub(crate) roots: Vec<RootConfig>,

    #[command(flatten)]
    pub(crate) common: ops::ServeArgs,
}

const AFTER_HELP: &str = "\
Examples:
  filesystem-server --root ~/notes --stdio
  filesystem-server --root ./docs:ro --root ./drafts --listen 127.0.0.1:8082
  filesystem-server --config files.toml --check-config

A file to begin with:
  [[filesystem.roots]]
  path = \"/srv/notes\"
  read_only = true

Exit codes: 0 after a regular end; 2 when a setting is wrong in itself, or a directory cannot be read; 1 when serving
failed.";

#[expect(clippy::unnecessary_wraps, reason = "clap takes a parser that may fail")]
fn root(text: &str) -> Result<RootConfig, std::convert::Infallible> {
    Ok(match text.strip_suffix(":ro") {
        Some(path) => RootConfig::read_only(path),
        None => RootConfig::new(text),
    })
}
