//! Towline beside bare hyper, bare tokio-postgres and other implementations of the protocol.
//!
//! See the crate's documentation. Options: `--quick` for about a minute, `--save FILE` for the figures as JSON, and
//! `http`, `stdio` or `postgres` for that part alone.

use std::fs;

use serde_json::Value;
use towline_bench::load::{HttpLoad, StdioLoad};
use towline_bench::measure::{Effort, Row, Turn, compare};
use towline_bench::process::Server;
use towline_bench::server::{Contender, serve_postgres};
use towline_bench::workload::Workload;
use towline_bench::{Error, postgres, report};

/// At most so much of the CPU time of a bare server.
const CPU_TARGET: f64 = 1.25;

/// Clients at the HTTP servers, and requests without an answer at the stdio servers.
const CONCURRENCY: usize = 8;

fn main() -> Result<(), Error> {
    let options = match Options::parse()? {
        Command::Serve(run) => return run(),
        Command::Bench(options) => options,
    };
    let mut rows = Vec::new();
    if options.runs("http") {
        rows.extend(http(options.effort)?);
    }
    if options.runs("stdio") {
        rows.extend(stdio(options.effort)?);
    }
    if options.runs("postgres") {
        // A call takes ten times as long as one of the others.
        let effort = Effort { requests: options.effort.requests.div_ceil(8), ..options.effort };
        for callers in [1, CONCURRENCY] {
            rows.extend(postgres::run(effort, callers)?);
        }
    }
    report::line(&format!("\n{}", report::table(&rows)))?;
    if let Some(path) = options.save {
        fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
    }
    Ok(())
}

enum Command {
    Serve(Box<dyn FnOnce() -> Result<(), Error>>),
    Bench(Options),
}

struct Options {
    effort: Effort,
    parts: Vec<String>,
    save: Option<String>,
}

impl Options {
    const FULL: Effort = Effort { rounds: 25, requests: 2000 };
    const QUICK: Effort = Effort { rounds: 7, requests: 800 };
    /// Cargo runs benchmarks as tests, too: then they only have to work.
    const TEST: Effort = Effort { rounds: 1, requests: 16 };

    fn parse() -> Result<Command, Error> {
        use lexopt::prelude::*;
        let mut options = Self { effort: Self::TEST, parts: Vec::new(), save: None };
        let mut quick = std::env::var_os("TOWLINE_BENCH_QUICK").is_some();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("bench") => options.effort = Self::FULL,
                Long("quick") => quick = true,
                Long("save") => options.save = Some(parser.value()?.string()?),
                Long("serve-http") => {
                    let contender = contender(&parser.value()?.string()?)?;
                    return Ok(Command::Serve(Box::new(move || contender.serve_http())));
                }
                Long("serve-stdio") => {
                    let contender = contender(&parser.value()?.string()?)?;
                    return Ok(Command::Serve(Box::new(move || contender.serve_stdio())));
                }
                Long("serve-postgres") => {
                    let url = parser.value()?.string()?;
                    let connections = parser.value()?.parse()?;
                    return Ok(Command::Serve(Box::new(move || serve_postgres(&url, connections))));
                }
                Value(part) => options.parts.push(part.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        if quick && options.effort.rounds > Self::QUICK.rounds {
            options.effort = Self::QUICK;
        }
        Ok(Command::Bench(options))
    }

    fn runs(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|other| other == part)
    }
}

fn contender(name: &str) -> Result<Contender, Error> {
    Contender::parse(name).ok_or_else(|| format!("there is no contender {name}").into())
}

fn http(effort: Effort) -> Result<Vec<Row>, Error> {
    let mut contenders = Vec::new();
    for contender in Contender::HTTP {
        let (server, port) = Server::start_http(&["--serve-http", contender.name()])?;
        let load = HttpLoad::connect(port, CONCURRENCY)?;
        contenders.push((contender, server, load));
    }
    let names = Contender::HTTP.map(Contender::name);
    let mut rows = Vec::new();
    for workload in Workload::ALL {
        let message = workload.message();
        let mut expected = None;
        for (contender, _, load) in &mut contenders {
            check(workload, *contender, &load.ask(&message)?, &mut expected)?;
        }
        let title = format!("HTTP, {}", workload.name());
        report::line(&format!("{title} ..."))?;
        rows.extend(aim(compare(&title, &names, effort, |at, requests| {
            let (_, server, load) = &mut contenders[at];
            let before = server.cpu_time()?;
            let batch = load.run(&message, requests)?;
            Ok(Turn { cpu: server.cpu_time()?.saturating_sub(before), batch })
        })?));
    }
    Ok(rows)
}

fn stdio(effort: Effort) -> Result<Vec<Row>, Error> {
    let mut contenders = Vec::new();
    for contender in Contender::STDIO {
        let mut server = Server::start(&["--serve-stdio", contender.name()])?;
        let load = StdioLoad::new(server.pipes()?);
        contenders.push((contender, server, load));
    }
    let names = Contender::STDIO.map(Contender::name);
    let mut rows = Vec::new();
    for (workload, in_flight) in [
        (Workload::Echo, 1),
        (Workload::Echo, CONCURRENCY),
        (Workload::Rows, CONCURRENCY),
        (Workload::List, CONCURRENCY),
    ] {
        let message = workload.message();
        let mut expected = None;
        for (contender, _, load) in &mut contenders {
            check(workload, *contender, &load.ask(&message)?, &mut expected)?;
        }
        let title = format!("stdio, {}, {in_flight} in flight", workload.name());
        report::line(&format!("{title} ..."))?;
        rows.extend(aim(compare(&title, &names, effort, |at, requests| {
            let (_, server, load) = &mut contenders[at];
            let before = server.cpu_time()?;
            let batch = load.run(&message, requests, in_flight)?;
            Ok(Turn { cpu: server.cpu_time()?.saturating_sub(before), batch })
        })?));
    }
    Ok(rows)
}

/// The same answer from all: from Towline to the byte, from the others in what matters.
fn check(
    workload: Workload,
    contender: Contender,
    answer: &[u8],
    expected: &mut Option<Vec<u8>>,
) -> Result<(), Error> {
    let trimmed = answer.trim_ascii_end();
    let Some(expected) = expected else {
        *expected = Some(trimmed.to_vec());
        return Ok(());
    };
    let name = contender.name();
    if contender == Contender::Towline && trimmed != *expected {
        let (own, bare) = (String::from_utf8_lossy(trimmed), String::from_utf8_lossy(expected));
        return Err(format!("{name} answers {own}, the bare server {bare}").into());
    }
    let (own, bare): (Value, Value) = (serde_json::from_slice(trimmed)?, serde_json::from_slice(expected)?);
    let same = match workload {
        Workload::List => {
            let names = |list: &Value| -> Option<Vec<String>> {
                let tools = list["result"]["tools"].as_array()?.iter();
                let mut names: Vec<_> = tools.map(|tool| tool["name"].to_string()).collect();
                names.sort_unstable();
                Some(names)
            };
            names(&own) == names(&bare)
        }
        Workload::Rows => own["result"]["structuredContent"] == bare["result"]["structuredContent"],
        Workload::Echo => own["result"]["content"][0]["text"] == bare["result"]["content"][0]["text"],
    };
    if same { Ok(()) } else { Err(format!("{name} answers {own}, the bare server {bare}").into()) }
}

fn aim(mut rows: Vec<Row>) -> Vec<Row> {
    for row in rows.iter_mut().filter(|row| row.contender == Contender::Towline.name()) {
        row.target = Some(CPU_TARGET);
    }
    rows
}
