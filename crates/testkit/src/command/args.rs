//! What can be said on the command line.

use std::time::Duration;

use clap::{ArgGroup, Args as ClapArgs, Parser, Subcommand};
use clap_complete::Shell;
use towline_testkit::{Era, Target, TargetError, Tester};

use super::Problem;

/// Tests MCP servers, whatever language they are written in.
///
/// Ends with 0 if all is well, 1 if a test fails, 2 if the command is wrong or the server cannot be reached.
#[derive(Debug, Parser)]
#[command(name = "towline-test", version)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs a suite.
    Run(Run),
    /// Lists the server's tools.
    List(List),
    /// Calls a tool and shows the answer.
    Call(Call),
    /// Measures how fast a tool answers.
    Bench(Bench),
    /// Writes a first suite, made from the server's own tools. It calls those that say that they change nothing.
    Init(Init),
    /// Writes completions for a shell.
    Completions { shell: Shell },
}

/// The server to test.
#[derive(ClapArgs, Debug)]
#[command(group = ArgGroup::new("server").required(true).args(["stdio", "url"]))]
pub(super) struct Server {
    /// A command that speaks over standard input and output, quoted as in a shell.
    #[arg(long, value_name = "COMMAND")]
    stdio: Option<String>,
    /// The URL of a server that speaks Streamable HTTP.
    #[arg(long)]
    url: Option<String>,
    /// A header to send with each request, as `Name: value`; may be given several times.
    #[arg(
        long,
        value_name = "HEADER",
        requires = "url",
        env = "TOWLINE_TEST_HEADER",
        hide_env_values = true
    )]
    header: Vec<String>,
    /// Speaks a revision of the protocol with a handshake, even if the server knows a newer one.
    #[arg(long)]
    legacy: bool,
    /// How many seconds an answer may take; a suite's `timeout_ms` counts before it.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    timeout: f64,
}

#[derive(ClapArgs, Debug)]
pub(super) struct Run {
    /// The suite, a YAML file.
    pub(super) suite: String,
    #[command(flatten)]
    pub(super) server: Server,
    /// Writes the report as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<String>,
    /// Writes the report as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<String>,
    /// Writes the report as one page of HTML.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<String>,
}

#[derive(ClapArgs, Debug)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) server: Server,
    /// As JSON, with the schemas.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(ClapArgs, Debug)]
pub(super) struct Call {
    /// The tool.
    pub(super) tool: String,
    /// Its arguments, a JSON object.
    #[arg(default_value = "{}")]
    pub(super) arguments: String,
    #[command(flatten)]
    pub(super) server: Server,
}

#[derive(ClapArgs, Debug)]
pub(super) struct Bench {
    /// The tool.
    pub(super) tool: String,
    /// Its arguments, a JSON object.
    #[arg(default_value = "{}")]
    pub(super) arguments: String,
    #[command(flatten)]
    pub(super) server: Server,
    /// How many calls are measured.
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(super) iterations: u32,
    /// How many are under way at once.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) concurrency: u32,
    /// How many calls come before, unmeasured.
    #[arg(long, default_value = "5")]
    pub(super) warm_up: u32,
    /// Fails if the 95th percentile is above so many milliseconds.
    #[arg(long, value_name = "MILLISECONDS")]
    pub(super) p95: Option<f64>,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(ClapArgs, Debug)]
pub(super) struct Init {
    #[command(flatten)]
    pub(super) server: Server,
    /// Where to write it. Default: standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<String>,
}

impl Server {
    /// A client of it, which waits that long for answers.
    pub(super) async fn connect(&self, timeout: Option<Duration>) -> Result<Tester, Problem> {
        let own = Duration::try_from_secs_f64(self.timeout).ok().filter(|own| !own.is_zero());
        let own = own.ok_or_else(|| Problem::Usage("--timeout must be a number above 0".into()))?;
        let era = if self.legacy { Era::Legacy } else { Era::Newest };
        let tester = Tester::new(self.target()?, era).patience(timeout.unwrap_or(own));
        tester.server().await?;
        Ok(tester)
    }

    fn target(&self) -> Result<Target, Problem> {
        if let Some(url) = &self.url {
            let target = Target::url(url)?;
            return Ok(self.header.iter().try_fold(target, |target, header| target.header(header))?);
        }
        let command = self.stdio.as_deref().unwrap_or_default();
        let parts = shlex::split(command)
            .ok_or_else(|| Problem::Usage("--stdio: a quotation mark in the command is not closed".into()))?;
        Target::process(parts).map_err(|error: TargetError| error.into())
    }
}
