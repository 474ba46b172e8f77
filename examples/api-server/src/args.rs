//! The command line.

use clap::Parser;
use towline::ops;

/// Lets an AI application call HTTP APIs: those that the settings name, and nothing else.
///
/// Settings come from the file given with --config, then from environment variables, then from the command line; the
/// last one wins. Any key of the file can be set as TOWLINE__SECTION__KEY, such as TOWLINE__SERVER__LISTEN.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 110, after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: ops::ServeArgs,
}

const AFTER_HELP: &str = "\
Examples:
  api-server --config apis.toml --listen 127.0.0.1:8081
  api-server --config apis.toml --check-config
  GITHUB_TOKEN=.. api-server --config apis.toml --stdio

A file to begin with:
  [apis.github]
  base_url = \"https://api.github.com\"
  auth = { type = \"bearer\", token_env = \"GITHUB_TOKEN\" }

Exit codes: 0 after a regular end; 2 when a setting is wrong in itself; 1 when serving failed, or the network or the
system refused what the settings ask for.";
