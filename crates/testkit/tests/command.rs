//! The command, on a server that has a defect of every kind.
#![cfg(feature = "command")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const SERVER: &str = concat!("python3 '", env!("CARGO_MANIFEST_DIR"), "/tests/bad_server.py'");

fn command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_towline-test")).args(arguments).output().unwrap()
}

#[track_caller]
fn check(arguments: &[&str], code: i32, parts: &[&str]) -> String {
    let output = command(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{all}");
    for part in parts {
        assert!(all.contains(part), "no {part:?} in {all}");
    }
    all
}

/// Writes a suite and runs it; the JSON report.
#[track_caller]
fn run(suite: &str, code: i32) -> (TempDir, Value) {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("suite.yaml"), suite).unwrap();
    let reports = [path("r.json"), path("r.xml"), path("r.html")];
    let [json, junit, html] = reports.each_ref().map(String::as_str);
    let files = ["--json", json, "--junit", junit, "--html", html];
    let (file, text) = (path("suite.yaml"), "r.txt");
    let arguments = [&["run", file.as_str(), "--stdio", SERVER], &files[..]].concat();
    fs::write(path(text), check(&arguments, code, &["MCP Server Test Report"])).unwrap();
    let report = serde_json::from_str(&read(folder.path(), "r.json")).unwrap();
    (folder, report)
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

/// The failures of a report: tool, test, reason.
fn failures(report: &Value) -> Vec<(String, String, String)> {
    let results = report["results"].as_array().unwrap().iter();
    results
        .filter(|result| result.get("failure").is_some())
        .map(|result| {
            let text = |value: &'_ Value| value.as_str().unwrap().to_owned();
            (text(&result["tool"]), text(&result["name"]), text(&result["failure"]["reason"]))
        })
        .collect()
}

#[test]
fn a_server_that_does_well_passes() {
    let suite = "
name: fine
tools:
  fine:
    cases:
      - {name: says it, input: {text: hello}, expected: [you, hello], matches: '^you', within_ms: 5000}
      - {input: {text: hello}, equals: you said hello}
    errors:
      - {name: too long, input: {text: hello and more}, expected: at most 9}
    performance:
      - {input: {text: x}, iterations: 20, concurrency: 2, warm_up: 1, thresholds: {p99_ms: 5000}}
";
    let (folder, report) = run(suite, 0);
    assert_eq!((&report["passed"], &report["failed"]), (&4.into(), &0.into()));
    let text = read(folder.path(), "r.txt");
    for part in [
        "Server: bad & <worse> 1 (protocol 2025-06-18)",
        "Tool Execution Tests:\n  fine: 2/2 passed",
        "Error Handling Tests:\n  fine: 1/1 handled correctly",
        "Success Rate: 100.0%",
        "Result: 4 of 4 passed, 0 failed",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn expectations_that_are_not_met_fail() {
    let suite = "
tools:
  fine:
    cases:
      - {name: text, input: {text: hello}, expected: goodbye}
      - {name: path, input: {text: hello}, json: {'$.content[0].text': you said goodbye}}
      - {name: schema, input: {text: hello}, schema: {required: [total]}}
    errors:
      - {name: none, input: {text: hello}}
    performance:
      - {input: {text: x}, iterations: 5, thresholds: {p50_ms: 0.000001}}
  absent:
    cases: [{input: {}}]
";
    let (folder, report) = run(suite, 1);
    let failures = failures(&report);
    assert_eq!(failures.len(), 6, "{failures:?}");
    let text = read(folder.path(), "r.txt");
    for part in [
        "- you said goodbye\n     + you said hello",
        "an error was expected",
        "the median is",
        "no tool of that name",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn every_defect_is_found() {
    let suite = "{name: '<i>', timeout_ms: 1500, negative: {}, security: {oversize_bytes: 100000}}";
    let (folder, report) = run(suite, 1);
    let failures = failures(&report);
    let found = |tool: &str, name: &str, reason: &str| {
        let known =
            |own: &&(String, String, String)| own.0 == tool && own.1 == name && own.2.contains(reason);
        assert!(failures.iter().any(|own| known(&own)), "{tool}, {name}: {failures:#?}");
    };
    found("accepts", "text: missing", "the tool accepted it");
    found("accepts", "text: text that is too long", "the tool accepted it");
    found("traces", "text: a list instead of a value", "stack trace");
    found("hangs", "text: empty text", "it hangs");
    found("dies", "text: empty text", "out of cheese");
    found("mute", "text: missing", "says nothing");
    found("reads", "text: path traversal, absolute", "a way out of its folder");
    found("fetches", "text: inner address, this machine", "an address of its own machine");
    found("messages", "no JSON", "the server ended the connection");
    found("messages", "bytes that are no UTF-8", "the server ended the connection");
    assert!(!failures.iter().any(|(tool, ..)| tool == "fine"), "{failures:#?}");

    let junit = read(folder.path(), "r.xml");
    let document = roxmltree::Document::parse(&junit).unwrap();
    let count = |name: &str| document.descendants().filter(|node| node.has_tag_name(name)).count();
    assert_eq!(count("testcase"), report["results"].as_array().unwrap().len());
    assert_eq!(count("failure"), failures.len());
    assert_eq!(document.root_element().attribute("name"), Some("<i>"));

    let page = read(folder.path(), "r.html");
    for markup in ["<i>", "<b>", "<worse>", "<script", "http://", "src="] {
        // The payloads name URLs; they are text there, never an attribute.
        let place = page.find(markup).filter(|_| markup != "http://");
        assert_eq!(place, None, "{markup}");
    }
    assert!(page.contains("&lt;b&gt;named&lt;/b&gt;") && page.contains("<svg"));
}

#[test]
fn tools_are_listed_called_and_measured() {
    check(&["list", "--stdio", SERVER], 0, &["fine\n", "accepts\n"]);
    check(&["list", "--json", "--stdio", SERVER], 0, &["\"maxLength\": 9"]);
    check(&["call", "fine", r#"{"text":"hi"}"#, "--stdio", SERVER], 0, &["you said hi"]);
    check(&["call", "fine", "--stdio", SERVER], 1, &["at most 9 letters"]);
    let bench = ["bench", "fine", r#"{"text":"hi"}"#, "--iterations", "20", "--stdio", SERVER];
    check(&bench, 0, &["20 calls, 1 at once", "100.0 % succeeded", "p99"]);
    check(&[&bench[..], &["--p95", "0.000001"]].concat(), 1, &["95th percentile"]);
    check(&["completions", "bash"], 0, &["complete -F", "--stdio"]);
}

#[test]
fn a_first_suite_runs() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("suite.yaml");
    let file = file.to_str().unwrap();
    check(&["init", "--output", file, "--stdio", SERVER], 0, &[]);
    let suite = fs::read_to_string(file).unwrap();
    let suite = towline_testkit::Suite::from_yaml(&suite).unwrap();
    assert_eq!(suite.tools.len(), 9);
    assert!(suite.negative.is_some() && suite.security.is_some());
}

#[test]
fn what_cannot_work_is_told_and_ends_with_2() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("suite.yaml");
    let file = file.to_str().unwrap();
    for (suite, parts) in [
        ("tols: {}", &["suite.yaml", "tols"][..]),
        ("tools:\n  fine:\n    cases:\n      - {inputs: {}}", &["inputs", "line 4"]),
        ("tools: {fine: {cases: [{matches: '('}]}}", &["fine", "number 1", "matches"]),
        ("tools: {fine: {errors: [{json: {'$[': 1}}]}}", &["fine", "json"]),
    ] {
        fs::write(file, suite).unwrap();
        check(&["run", file, "--stdio", SERVER], 2, parts);
    }
    fs::write(file, "{}").unwrap();
    check(&["run", file, "--stdio", "towline-no-such-program"], 2, &["cannot run towline-no-such-program"]);
    check(&["run", file, "--url", "http://127.0.0.1:1/mcp"], 2, &["cannot connect"]);
    check(&["run", file, "--stdio", "a 'b"], 2, &["quotation mark"]);
    check(&["run", file], 2, &["--stdio", "--url"]);
    check(&["run", "/nowhere/suite.yaml", "--stdio", SERVER], 2, &["/nowhere/suite.yaml"]);
    check(&["call", "fine", "[]", "--stdio", SERVER], 2, &["must be a JSON object"]);
}
