//! The command line.

use clap::Parser;

/// Lets an AI application ask questions of PostgreSQL databases, read-only.
///
/// Settings come from the file given with --config, then from environment variables, then from the command line; the
/// last one wins. Any key of the file can be set as TOWLINE__SECTION__KEY, such as TOWLINE__SERVER__LISTEN.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 110, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The database, as postgres://user:password@host:port/name
    ///
    /// Better given in the environment: other users of this machine can see command lines.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,

    #[command(flatten)]
    pub(crate) common: towline::ops::ServeArgs,
}

const AFTER_HELP: &str = "\
Examples:
  database-server --database-url postgres://reader@localhost/shop
  database-server --config server.toml --check-config
  DATABASE_URL=postgres://reader@localhost/shop database-server --stdio

Exit codes: 0 after a regular end; 2 when a setting is wrong in itself; 1 when serving failed, or a database, the
network or the system refused what the settings ask for.";
