//! Serves sample HTTP APIs on loopback, with faults on demand.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sample_apis::{Options, Upstream};

/// Serves sample HTTP APIs on this machine: GitHub, weather, Slack, search and OAuth look-alikes, with faults on demand.
///
/// Prints its addresses, and serves until it is interrupted. GET /openapi.json tells what there is.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, after_help = AFTER_HELP)]
struct Args {
    /// Serve HTTP on this loopback address and port; port 0 is a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = address)]
    listen: SocketAddr,

    /// Serve HTTPS as well, on this loopback address and port
    #[arg(long, value_name = "ADDR", value_parser = address)]
    https: Option<SocketAddr>,

    /// Write the certificate of the authority behind HTTPS to this file, as PEM
    #[arg(long, value_name = "FILE", requires = "https")]
    authority: Option<PathBuf>,

    /// How many seconds a token of /oauth/token is good
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    token_lifetime: u32,

    /// How many seconds caches may keep answers
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    max_age: u32,
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let address: SocketAddr =
        text.parse().map_err(|_| "write an IP address and a port, such as 127.0.0.1:9090")?;
    address.ip().is_loopback().then_some(address).ok_or("must be a loopback address, such as 127.0.0.1:9090")
}

const AFTER_HELP: &str = "\
Examples:
  sample-apis --listen 127.0.0.1:9090
  curl 'http://127.0.0.1:9090/weather/forecast?city=Berlin'
  curl http://127.0.0.1:9090/faults -d '{\"prefix\": \"/weather\", \"fault\": \"slow\", \"delay_ms\": 500, \"times\": 3}'
  curl -X DELETE http://127.0.0.1:9090/faults";

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done about a standard error that cannot be written to.
            let _ = writeln!(io::stderr(), "sample-apis: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> io::Result<()> {
    let options = Options {
        listen: args.listen,
        https: args.https,
        token_lifetime: Duration::from_secs(args.token_lifetime.into()),
        max_age: Duration::from_secs(args.max_age.into()),
        ..Options::default()
    };
    let upstream = Upstream::start(options).await?;
    if let (Some(file), Some(pem)) = (&args.authority, upstream.authority_pem()) {
        std::fs::write(file, pem)?;
    }
    let mut out = io::stdout();
    writeln!(out, "{}", upstream.url())?;
    if let Some(url) = upstream.https_url() {
        writeln!(out, "{url}")?;
    }
    out.flush()?;
    tokio::signal::ctrl_c().await
}
