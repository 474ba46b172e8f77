//! `towline-test` on servers that nobody here wrote, and on ours.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sample_apis::{GITHUB_TOKEN, Options, SEARCH_KEY, SLACK_WEBHOOK, Upstream};
use serde_json::Value;
use tempfile::TempDir;
use towline_end_to_end::{Process, cargo_build, cargo_build_binary};
use towline_scratch_postgres::Database;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../clients");

fn package(name: &str) -> String {
    format!("{CLIENTS}/node_modules/@modelcontextprotocol/{name}/dist/index.js")
}

fn towline_test() -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    Command::new(BUILT.get_or_init(|| cargo_build_binary("towline-testkit", "towline-test")))
}

/// Runs a suite; what it ended with, and its report.
fn run(suite: &str, server: &[&str]) -> (Output, Value) {
    let folder = TempDir::new().unwrap();
    let [suite_file, report] = ["suite.yaml", "report.json"].map(|name| folder.path().join(name));
    fs::write(&suite_file, suite).unwrap();
    let output =
        towline_test().arg("run").arg(&suite_file).args(server).arg("--json").arg(&report).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let report = fs::read_to_string(&report)
        .unwrap_or_else(|_| panic!("{told}{}", String::from_utf8_lossy(&output.stderr)));
    (output, serde_json::from_str(&report).unwrap())
}

/// The suite finds just these, by tool and test, among at least so many tests.
#[track_caller]
fn check(suite: &str, server: &[&str], at_least: usize, expected: &[(&str, &str)]) {
    let (output, report) = run(suite, server);
    let results = report["results"].as_array().unwrap();
    let failed = results.iter().filter(|result| result.get("failure").is_some());
    let failed: Vec<_> =
        failed.map(|result| (result["tool"].as_str().unwrap(), result["name"].as_str().unwrap())).collect();
    assert_eq!(failed, expected, "{}", String::from_utf8_lossy(&output.stdout));
    assert!(results.len() >= at_least, "only {} tests", results.len());
    assert_eq!(output.status.code(), Some(i32::from(!expected.is_empty())));
    let measured = results.iter().filter_map(|result| result.get("measurement"));
    for measured in measured {
        assert!(
            measured["latency"]["p99_ms"].as_f64().unwrap()
                >= measured["latency"]["p50_ms"].as_f64().unwrap()
        );
    }
}

/// One tool of it only answers after ten seconds, by design.
const EVERYTHING: &str = "
name: everything
tools:
  echo:
    cases:
      - {input: {message: hello}, equals: 'Echo: hello'}
    errors:
      - {name: no message, input: {}, expected: message}
    performance:
      - {input: {message: x}, iterations: 100, concurrency: 4}
  get-sum:
    cases:
      - {input: {a: 2, b: 3}, matches: '\\b5\\b'}
  get-structured-content:
    cases:
      - {input: {location: New York}, schema: {required: [temperature], properties: {temperature: {type: number}}}}
negative: {exclude: [trigger-long-running-operation]}
security: {}
";

#[test]
fn the_official_example_passes_over_stdio() {
    let server = format!("node '{}'", package("server-everything"));
    check(EVERYTHING, &["--stdio", &server], 190, &[]);
}

#[test]
fn the_official_example_passes_over_http() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut node = Command::new("node");
    node.arg(package("server-everything")).arg("streamableHttp").env("PORT", address.port().to_string());
    let _server = Listening::start(&mut node, address);
    check(EVERYTHING, &["--url", &format!("http://{address}/mcp")], 190, &[]);
}

#[test]
fn the_official_file_server_passes() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let root = root.to_str().unwrap();
    fs::write(folder.path().join("a.txt"), "hello").unwrap();
    let suite = format!(
        "
name: files
tools:
  read_text_file:
    cases:
      - {{input: {{path: '{root}/a.txt'}}, expected: hello}}
    errors:
      - {{name: another folder, input: {{path: /etc/passwd}}, expected: denied}}
  write_file:
    cases:
      - {{input: {{path: '{root}/b.txt', content: new}}, expected: Successfully wrote}}
negative: {{exclude: [write_file]}}
security: {{}}
"
    );
    let server = format!("node '{}' '{root}'", package("server-filesystem"));
    check(&suite, &["--stdio", &server], 400, &[]);
    let outside = fs::read_dir(folder.path()).unwrap().count();
    assert!(outside >= 2, "it wrote");
}

#[test]
fn what_is_wrong_with_a_server_of_fastmcp_is_found() {
    let suite = "
name: fast
tools:
  add:
    cases:
      - {input: {a: 2, b: 3}, json: {$.result: 5}}
    errors:
      - {input: {a: two, b: 3}, expected: a}
negative: {}
security: {}
";
    let server = format!("'{CLIENTS}/.venv-fastmcp/bin/python' '{CLIENTS}/python/fastmcp_server.py'");
    let found = [
        // Python takes true for 1, and FastMCP with it; JSON Schema does not.
        ("add", "a: a truth value instead of a value"),
        ("add", "b: a truth value instead of a value"),
        // The tool is written to be found out.
        ("read", "path: path traversal"),
        ("read", "path: path traversal, absolute"),
    ];
    check(suite, &["--stdio", &server], 75, &found);
}

/// Servers that FastMCP shows how to write servers with.
#[test]
fn the_examples_of_fastmcp_pass() {
    let python = format!("{CLIENTS}/.venv-fastmcp/bin/python");
    let example = |name: &str| format!("{CLIENTS}/.fastmcp-examples/{name}.py");
    let through = |name: &str| {
        let fastmcp = format!("{CLIENTS}/.venv-fastmcp/bin/fastmcp");
        format!("'{python}' '{fastmcp}' run --no-banner '{}'", example(name))
    };
    let echo = "
name: echo
tools:
  echo_tool:
    cases:
      - {input: {text: hello}, equals: hello}
    performance:
      - {input: {text: x}, iterations: 20}
negative: {}
security: {}
";
    check(echo, &["--stdio", &through("echo")], 55, &[]);
    let shrimp = "
name: shrimp
tools:
  name_shrimp:
    cases:
      - {input: {tank: {shrimp: [{name: Ann}]}, extra_names: [Bob]}, json: {$.result: [Ann, Bob]}}
    errors:
      - {name: a name that is too long, input: {tank: {shrimp: [{name: Annabella-Maria}]}, extra_names: []}, expected: name}
negative: {}
security: {}
";
    check(shrimp, &["--stdio", &through("complex_inputs")], 35, &[]);
    let configured = "
name: configured
tools:
  get_status:
    cases:
      - {input: {}, json: {$.debug_mode: true}}
  echo_message:
    cases:
      - {input: {message: hello}, equals: '[DEBUG] Echoing: hello'}
negative: {}
security: {}
";
    let server = format!("'{python}' '{}' --debug", example("config_server"));
    check(configured, &["--stdio", &server], 40, &[]);
}

#[test]
fn our_database_server_passes() {
    let shop = Database::with_shop().unwrap();
    let binary = cargo_build("database-server");
    let mut server = Command::new(&binary);
    server.args(["--database-url", &shop.url()]);
    let (_process, address) = Process::listen(&mut server);
    let suite = "
name: database
tools:
  execute_query:
    cases:
      - {input: {query: SELECT 1 AS one}, json: {'$.rows[0][0]': 1}}
    errors:
      - {name: changes something, input: {query: DROP TABLE customers}}
    performance:
      - {input: {query: SELECT 1}, iterations: 20, concurrency: 2}
  list_tables:
    cases:
      - {input: {}, expected: customers}
negative: {}
security: {}
";
    check(suite, &["--url", &format!("http://{address}/mcp")], 200, &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_api_server_passes() {
    let upstream = Upstream::start(Options::default()).await.unwrap();
    let url = upstream.url();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/api-server/sample.toml");
    let settings = fs::read_to_string(sample).unwrap().replace("http://127.0.0.1:9090", &url);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("apis.toml");
    fs::write(&file, settings).unwrap();
    let mut server = Command::new(cargo_build("api-server"));
    server.arg("--config").arg(&file);
    server.env("SAMPLE_GITHUB_TOKEN", GITHUB_TOKEN).env("SAMPLE_SEARCH_KEY", SEARCH_KEY);
    server.env("SAMPLE_SLACK_WEBHOOK", format!("{url}{SLACK_WEBHOOK}"));
    let suite = "
name: apis
tools:
  github_repository_info:
    cases:
      - {input: {owner: octocat, repo: hello-world}, expected: octocat/hello-world}
    errors:
      - {name: another folder, input: {owner: octocat, repo: ../spoon-knife}, expected: Not sent}
negative: {}
security: {}
";
    tokio::task::spawn_blocking(move || {
        let (_process, address) = Process::listen(&mut server);
        check(suite, &["--url", &format!("http://{address}/mcp")], 100, &[]);
    })
    .await
    .unwrap();
}

#[test]
fn our_file_server_passes() {
    let suite = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/filesystem-server/suite.yaml");
    let suite = fs::read_to_string(suite).unwrap();
    let binary = cargo_build("filesystem-server");
    let world = TempDir::new().unwrap();
    let root = world.path().join("root");
    fs::create_dir(&root).unwrap();
    let over_stdio = format!("'{}' --stdio --root '{}'", binary.display(), root.display());
    check(&suite, &["--stdio", &over_stdio], 500, &[]);
    let (_process, address) = Process::listen(Command::new(&binary).arg("--root").arg(&root));
    check(&suite, &["--url", &format!("http://{address}/mcp")], 500, &[]);
    let beside: Vec<_> = fs::read_dir(&world).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["root"], "it wrote out of its root");
}

/// What the report for people says of a server is what its readers look for.
#[test]
fn the_report_counts_what_was_tried_and_tells_how_fast_it_was() {
    let suite = "
name: files
tools:
  list_files:
    cases:
      - {input: {path: .}, expected: Contents of}
    errors:
      - {input: {path: ../../../etc/passwd}}
      - {input: {path: ''}}
    performance:
      - {input: {path: .}, iterations: 50}
  write_file:
    cases:
      - {input: {path: test.txt, content: Hello World}, expected: Successfully wrote}
";
    let root = TempDir::new().unwrap();
    let binary = cargo_build("filesystem-server");
    let server = format!("'{}' --stdio --root '{}'", binary.display(), root.path().display());
    let (output, _) = run(suite, &["--stdio", &server]);
    let report = String::from_utf8(output.stdout).unwrap();
    for line in [
        "MCP Server Test Report",
        "Server: filesystem-server",
        "  list_files: 1/1 passed",
        "  write_file: 1/1 passed",
        "  list_files: 2/2 handled correctly",
        "  list_files (50 calls, 1 at once):",
        "    Success Rate: 100.0%",
    ] {
        assert!(report.contains(line), "{line}\n{report}");
    }
    assert_eq!(fs::read_to_string(root.path().join("test.txt")).unwrap(), "Hello World");
}

#[test]
fn a_first_suite_of_a_server_that_nobody_here_wrote_runs() {
    let folder = TempDir::new().unwrap();
    let suite = folder.path().join("suite.yaml");
    let root = folder.path().to_str().unwrap();
    let server = format!("node '{}' '{root}'", package("server-filesystem"));
    let made = towline_test().args(["init", "--stdio", &server, "--output"]).arg(&suite).status().unwrap();
    assert!(made.success());
    let suite = fs::read_to_string(&suite).unwrap();
    let (output, report) = run(&suite, &["--stdio", &server]);
    assert_eq!((output.status.code(), report["failed"].as_u64()), (Some(0), Some(0)), "{output:?}");
}

/// A server that is told its port in its own way. It ends with this value.
struct Listening(Child);

impl Listening {
    fn start(command: &mut Command, address: SocketAddr) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (listening, started) = (Self(child), Instant::now());
        while TcpStream::connect(address).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "it does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        listening
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_packages_are_there() {
    for package in ["server-everything", "server-filesystem"].map(package) {
        assert!(Path::new(&package).exists(), "{package}: cargo xtask test installs it");
    }
}
