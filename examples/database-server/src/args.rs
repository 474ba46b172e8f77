//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// Lets an AI application ask questions of PostgreSQL databases, read-only.
///
/// Settings come from the file given with --config, then from environment variables, then from the command line; the
/// last one wins. Any key of the file can be set as TOWLINE__SECTION__KEY, such as TOWLINE__SERVER__LISTEN.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The database, as postgres://user:password@host:port/name
    ///
    /// Better given in the environment: other users of this machine can see command lines.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,

    /// Serve Streamable HTTP on this address and port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", conflicts_with = "stdio", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,

    /// Serve on standard input and output, as desktop applications start servers
    #[arg(long)]
    pub(crate) stdio: bool,

    /// Read settings from this TOML file [env: TOWLINE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Check the settings and whether the databases can be reached, then stop
    #[arg(long)]
    pub(crate) check_config: bool,

    /// What to log on standard error: error, warn, info, debug or trace, also per target
    #[arg(long, value_name = "FILTER", env = "TOWLINE_LOG", default_value = "info")]
    pub(crate) log: String,

    /// Serve other machines although anyone who can reach the port can then read the databases
    #[arg(long)]
    pub(crate) allow_unauthenticated: bool,
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "write an IP address and a port, such as 127.0.0.1:8080")
}

const AFTER_HELP: &str = "\
Examples:
  database-server --database-url postgres://reader@localhost/shop
  database-server --config server.toml --check-config
  DATABASE_URL=postgres://reader@localhost/shop database-server --stdio

Exit codes: 0 after a regular end; 2 when a setting is wrong in itself; 1 when serving failed, or a database, the
network or the system refused what the settings ask for.";
