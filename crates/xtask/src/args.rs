use std::ffi::OsString;
use std::net::SocketAddr;

use lexopt::prelude::*;

const HELP: &str = "\
The workspace's own chores.

Usage: cargo xtask <COMMAND> [OPTIONS]

Commands:
  demo    Start an MCP server on a sample PostgreSQL database, or on sample HTTP APIs, and ask it questions
  test    Run every test of the workspace, with the database they need
  bench   Run the benchmarks, with the database they need
  soak    Load a server for minutes, and hold what it has left over against what it began with

`cargo xtask <COMMAND> --help` tells more about one of them.";

const DEMO_HELP: &str = "\
Starts an MCP server on a sample PostgreSQL database, or on sample HTTP APIs, and asks it questions.

Finds or installs PostgreSQL's programs, starts a private cluster in a temporary directory, loads a sample
shop of about 100,000 rows, starts `database-server` on it, makes the calls that a model would make through
the official Rust SDK, prints them, and goes on serving until Ctrl-C. It never touches a PostgreSQL server
that is already there, and leaves neither processes nor files of the cluster behind.

With `api` it starts `sample-apis`, a local server of a few HTTP APIs that fail on demand, and `api-server` on it
with the settings in examples/api-server/sample.toml, and shows its cache, limit, retries and breaker at work.

Usage: cargo xtask demo [database|api] [OPTIONS]

Options:
      --once             Stop after the calls instead of serving on
      --listen <ADDR>    Address and port to serve on [default: 127.0.0.1:8080, or the next free port]
  -h, --help             Print this help";

const TEST_HELP: &str = "\
Runs every test of the workspace: unit, wire, integration, end to end, and the examples in the documentation.

Installs what is missing (PostgreSQL, libclang, the MCP client libraries of other languages), starts one private
PostgreSQL cluster that all tests share, and runs `cargo test --workspace`. The cluster is gone afterwards.

Usage: cargo xtask test [ARGUMENTS FOR CARGO TEST]...

Examples:
  cargo xtask test
  cargo xtask test -p towline-postgres guard
  cargo xtask test --workspace -- --nocapture

With a package or target chosen, `--workspace` is left out.

Environment:
  TOWLINE_TEST_POSTGRES_URL    A running server to test against, as a superuser, instead of a private cluster

Options:
  -h, --help                   Print this help";

const BENCH_HELP: &str = "\
Runs the benchmarks, with a private PostgreSQL cluster for those that need a database.

Usage: cargo xtask bench [ARGUMENTS FOR CARGO BENCH]...

Examples:
  cargo xtask bench
  cargo xtask bench --bench call -- http

Environment:
  TOWLINE_TEST_POSTGRES_URL    A running server to measure against instead of a private cluster

Options:
  -h, --help                   Print this help";

const SOAK_HELP: &str = "\
Loads a server over HTTP for minutes, and holds what it has left over against what it began with.

The server is a process of its own. Clients make calls, read what these report, close connections in the middle, open
streams and never read them, listen to what changes, and begin sessions that nobody ends. Fails when an answer is lost
or wrong, when files or calls are still open after all that has expired, when the server holds more memory than after a
warm-up with the same load, beyond 20 % and 16 MiB, or when more of it is in use than at the start, beyond 8 MiB.

With `database` the server is `database-server` on a private PostgreSQL with the sample shop. A short ramp finds how many
mixed calls it answers in a second; then it gets half of that, and is held to the same. Prints times, memory and files as they
go, and by how much memory grew in a minute.

Usage: cargo xtask soak [database] [OPTIONS]

Options:
      --minutes <N>        How long the load goes on, after the warm-up [default: 10, with `database` 30]
      --connections <N>    How many clients there are at once [default: 1000; not with `database`]
  -h, --help               Print this help";

/// What the user asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help(&'static str),
    Demo(Demo),
    /// With arguments for cargo.
    Test(Vec<OsString>),
    /// With arguments for cargo.
    Bench(Vec<OsString>),
    /// With arguments for the load.
    Soak(Vec<OsString>),
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Demo {
    pub(crate) subject: Subject,
    pub(crate) once: bool,
    /// `None`: the usual address, or the next free port.
    pub(crate) listen: Option<SocketAddr>,
}

/// What the demo is of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Subject {
    #[default]
    Database,
    Api,
}

impl Command {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let mut parser = lexopt::Parser::from_args(arguments);
        match parser.next()? {
            None | Some(Short('h') | Long("help")) => Ok(Self::Help(HELP)),
            Some(Value(name)) => match name.to_str() {
                Some("demo") => parse_demo(parser),
                Some("test") => pass_on(&mut parser, TEST_HELP, Self::Test),
                Some("bench") => pass_on(&mut parser, BENCH_HELP, Self::Bench),
                Some("soak") => pass_on(&mut parser, SOAK_HELP, Self::Soak),
                Some("help") => Ok(Self::Help(HELP)),
                _ => Err(format!("there is no command `{}`", name.display()).into()),
            },
            Some(argument) => Err(argument.unexpected()),
        }
    }
}

fn parse_demo(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut demo = Demo::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help(DEMO_HELP)),
            Value(ref subject) if subject == "database" => demo.subject = Subject::Database,
            Value(ref subject) if subject == "api" => demo.subject = Subject::Api,
            Long("once") => demo.once = true,
            Long("listen") => demo.listen = Some(parse_address(&parser.value()?.string()?)?),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Command::Demo(demo))
}

fn parse_address(text: &str) -> Result<SocketAddr, lexopt::Error> {
    text.parse()
        .map_err(|_| format!("`--listen {text}` is not an address and port like 127.0.0.1:8080").into())
}

/// Everything but a help flag of our own is for the program that the command runs.
fn pass_on(
    parser: &mut lexopt::Parser,
    help: &'static str,
    command: impl FnOnce(Vec<OsString>) -> Command,
) -> Result<Command, lexopt::Error> {
    let arguments: Vec<OsString> = parser.raw_args()?.collect();
    let ours = arguments.iter().take_while(|argument| *argument != "--");
    if ours.into_iter().any(|argument| argument == "--help" || argument == "-h") {
        return Ok(Command::Help(help));
    }
    Ok(command(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<Command, &str>) {
        let parsed = Command::parse(line.split_whitespace().map(OsString::from));
        assert_eq!(parsed.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn a_command_line_is_read() {
        check("", Ok(Command::Help(HELP)));
        check("--help", Ok(Command::Help(HELP)));
        check("demo --help", Ok(Command::Help(DEMO_HELP)));
        check("test -h", Ok(Command::Help(TEST_HELP)));
        check("demo", Ok(Command::Demo(Demo::default())));
        check(
            "demo --once --listen=[::1]:9000",
            Ok(Command::Demo(Demo {
                once: true,
                subject: Subject::Database,
                listen: Some(([0, 0, 0, 0, 0, 0, 0, 1], 9000).into()),
            })),
        );
        check("demo api --once", Ok(Command::Demo(Demo { once: true, subject: Subject::Api, listen: None })));
        check(
            "test -p x -- --help",
            Ok(Command::Test(["-p", "x", "--", "--help"].map(OsString::from).into())),
        );
        check("bench", Ok(Command::Bench(Vec::new())));
        check("soak --help", Ok(Command::Help(SOAK_HELP)));
        check("soak --minutes 3", Ok(Command::Soak(["--minutes", "3"].map(OsString::from).into())));
        check("soak database", Ok(Command::Soak(vec!["database".into()])));
    }

    #[test]
    fn a_mistake_is_named() {
        check("dmeo", Err("there is no command `dmeo`"));
        check("demo apis", Err("unexpected argument \"apis\""));
        check("demo --onc", Err("invalid option '--onc'"));
        check("demo --listen 8080", Err("`--listen 8080` is not an address and port like 127.0.0.1:8080"));
    }
}
