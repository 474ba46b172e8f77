//! `towline-test list`, `call`, `bench` and `init`.

use std::fmt::Write as _;

use serde_json::Value;
use towline_testkit::{Load, Measurement, Suite, Thresholds};

use super::args::{Bench, Call, Init, List};
use super::bar::bar;
use super::{Problem, print, write_file};

/// What stands above a suite that was made, for whoever fills it in.
const HEADER: &str = "\
# A first suite, made from the server's own tools. Replace the input by what means something to the server, and say what
# is expected: `expected` (in the text), `equals`, `matches`, `json` (paths and values) or `schema`.
# `negative` and `security` send wrong and hostile input: run them where nothing can be lost.
";

pub(super) async fn list(args: &List) -> Result<bool, Problem> {
    let tester = args.server.connect(None).await?;
    let tools = tester.tools().await?;
    tester.close().await;
    if args.json {
        print(&format!("{:#}\n", serde_json::to_value(&tools).unwrap_or_default()));
        return Ok(true);
    }
    for tool in tools {
        let first = tool.description.lines().next().unwrap_or_default();
        let text = format!("{}  {first}", tool.name);
        // A server names its tools, and must not steer the terminal.
        print(&format!(
            "{}\n",
            text.trim_end().chars().filter(|char| !char.is_control()).collect::<String>()
        ));
    }
    Ok(true)
}

pub(super) async fn call(args: &Call) -> Result<bool, Problem> {
    let arguments = parse(&args.arguments)?;
    let tester = args.server.connect(None).await?;
    let answer = tester.exchange(&args.tool, &arguments).await;
    tester.close().await;
    // As JSON, in which control characters are escaped.
    print(&format!("{:#}\n", answer.to_json()));
    Ok(answer.is_answered() && !answer.is_error())
}

pub(super) async fn bench(args: &Bench) -> Result<bool, Problem> {
    let arguments = parse(&args.arguments)?;
    let tester = args.server.connect(None).await?;
    let mut load = Load::default();
    load.iterations = args.iterations as usize;
    load.concurrency = args.concurrency as usize;
    load.warm_up = args.warm_up as usize;
    let bar = bar();
    bar.set_length((load.iterations + load.warm_up) as u64);
    let measured = tester.measure(&args.tool, &arguments, load, || bar.inc(1)).await;
    bar.finish_and_clear();
    tester.close().await;
    match args.json {
        true => print(&format!("{:#}\n", serde_json::to_value(&measured).unwrap_or_default())),
        false => print(&shown(&args.tool, &measured)),
    }
    let mut thresholds = Thresholds::default();
    thresholds.p95_ms = args.p95;
    let exceeded = measured.exceeded(&thresholds);
    for exceeded in &exceeded {
        print(&format!("{exceeded}\n"));
    }
    Ok(exceeded.is_empty())
}

fn shown(tool: &str, measured: &Measurement) -> String {
    let latency = &measured.latency;
    let mut text = String::new();
    let _ = writeln!(text, "{tool}: {} calls, {} at once", measured.iterations, measured.concurrency);
    let _ = writeln!(
        text,
        "  {:.1} calls/s, {:.1} % succeeded",
        measured.per_second,
        measured.success_rate() * 100.0
    );
    for (name, value) in [
        ("min", latency.min_ms),
        ("average", latency.average_ms),
        ("p50", latency.p50_ms),
        ("p90", latency.p90_ms),
        ("p95", latency.p95_ms),
        ("p99", latency.p99_ms),
        ("max", latency.max_ms),
    ] {
        let _ = writeln!(text, "  {name:<8}{value:>10.3} ms");
    }
    text
}

pub(super) async fn init(args: &Init) -> Result<bool, Problem> {
    let tester = args.server.connect(None).await?;
    let suite = Suite::for_server(&tester).await?;
    tester.close().await;
    let file = args.output.as_deref().unwrap_or("the suite");
    let yaml = suite.to_yaml().map_err(|error| Problem::Suite { file: file.to_owned(), error })?;
    let text = format!("{HEADER}{yaml}");
    match &args.output {
        Some(file) => write_file(file, &text)?,
        None => print(&text),
    }
    Ok(true)
}

fn parse(arguments: &str) -> Result<Value, Problem> {
    let parsed: Value = serde_json::from_str(arguments)
        .map_err(|error| Problem::Usage(format!("the arguments are no JSON: {error}")))?;
    match parsed.is_object() {
        true => Ok(parsed),
        false => Err(Problem::Usage("the arguments must be a JSON object".into())),
    }
}
