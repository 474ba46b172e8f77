//! Logs as programs read them.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use towline_end_to_end::{Ended, Process, cargo_build};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn request(id: u32, method: &str, mut params: Value) -> String {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "traceparent": format!("00-{TRACE}-b7ad6b7169203331-01"),
    });
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

/// The lines of the log: objects, each with what every line has.
fn lines(ended: &Ended) -> Vec<Value> {
    let lines = ended.stderr.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        for member in ["timestamp", "level", "target"] {
            assert!(line[member].is_string(), "{line}");
        }
        assert!(line["fields"].is_object(), "{line}");
        line
    });
    lines.collect()
}

#[test]
fn standard_error_is_one_object_a_line_and_standard_output_is_the_protocols() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("files.toml");
    std::fs::write(folder.path().join("a.txt"), "text").unwrap();
    let root = folder.path();
    let text = format!(
        "[log]\nformat = \"json\"\n[layers.server]\naudit = true\n[[filesystem.roots]]\npath = {root:?}\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut server = Process::start(
        Command::new(cargo_build("filesystem-server"))
            .arg("--stdio")
            .arg("--config")
            .arg(&file)
            .args(["--log", "trace"]),
    );
    let mut stdin = server.stdin().unwrap();
    let read = json!({"name": "read_text_file", "arguments": {"path": "a.txt"}});
    writeln!(stdin, "{}\n{}\nnonsense", request(7, "tools/list", json!({})), request(8, "tools/call", read))
        .unwrap();
    drop(stdin);
    let ended = server.wait();
    assert!(ended.status.success(), "{ended:?}");
    let answers: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(answers.len(), 3, "{ended:?}");
    assert!(answers.iter().all(|answer| answer["jsonrpc"] == "2.0"), "{ended:?}");

    let lines = lines(&ended);
    let call =
        lines.iter().find(|line| line["fields"]["method"] == "tools/call").expect("the call is audited");
    assert_eq!(
        (&call["fields"]["request_id"], &call["fields"]["trace_id"]),
        (&"8".into(), &TRACE.into()),
        "{call}"
    );
    let span = &call["span"];
    assert_eq!((&span["name"], &span["jsonrpc.request.id"]), (&"mcp.request".into(), &"8".into()), "{call}");
    assert_eq!(
        (&span["trace_id"], &span["gen_ai.tool.name"]),
        (&TRACE.into(), &"read_text_file".into()),
        "{call}"
    );
}

#[test]
fn what_ends_a_server_is_a_line_as_all_others() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = ["--root", ".", "--listen", &address, "--log-format", "json"];
    let ended = Process::start(Command::new(cargo_build("filesystem-server")).args(arguments)).wait();
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""));
    let lines = lines(&ended);
    let last = lines.last().unwrap();
    assert_eq!((&last["level"], &last["fields"]["program"]), (&"ERROR".into(), &"filesystem-server".into()));
    assert!(last["fields"]["message"].as_str().unwrap().contains("--listen"), "{last}");
}

#[test]
fn a_filter_that_is_none_is_named_by_its_line() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("files.toml");
    std::fs::write(&file, "[log]\nfilter = \"==\"\n").unwrap();
    let config = ["--root", ".", "--config", file.to_str().unwrap()];
    let ended = Process::start(Command::new(cargo_build("filesystem-server")).args(config)).wait();
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("line 2: log.filter: not a filter"), "{}", ended.stderr);
}

/// With secrets in its settings, and calls that use them, at the level that says most.
#[test]
fn no_secret_stands_in_a_line() {
    const SECRET: &str = "hunter2-secret";
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("apis.toml");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!(
        "[apis.shop]\nbase_url = \"http://{nobody}\"\nallowed_networks = [\"127.0.0.1/32\"]\n\
         auth = {{ type = \"bearer\", token = \"{SECRET}\" }}\ndefault_headers = {{ X-Key = \"{SECRET}\" }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let arguments = ["--stdio", "--log", "trace", "--log-format", "json", "--config", file.to_str().unwrap()];
    let mut server = Process::start(Command::new(cargo_build("api-server")).args(arguments));
    let mut stdin = server.stdin().unwrap();
    let call = json!({"name": "call_rest_api", "arguments": {"api_name": "shop", "endpoint": "/a"}});
    writeln!(stdin, "{}", request(1, "tools/call", call)).unwrap();
    drop(stdin);
    let ended = server.wait();
    assert!(ended.status.success(), "{ended:?}");
    assert!(lines(&ended).len() > 3, "{ended:?}");
    assert!(!ended.stderr.contains(SECRET) && !ended.stdout.contains(SECRET), "{ended:?}");
}
