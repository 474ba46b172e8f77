//! Nothing that a client says makes a line of the log, or steers the terminal that shows it.

use std::io::Write;
use std::process::Command;

use serde_json::{Value, json};
use towline_end_to_end::{Process, cargo_build};
use towline_scratch_postgres::Database;

/// A line break of either kind, a line as the log has them, and the order to clear the screen.
const FORGED: &str = "x\r\n2026-01-01T00:00:00.000000Z  INFO forged: all is well\u{1b}[2J\u{9b}2J";

fn request(method: &str, params: Value) -> String {
    let mut params = params;
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": FORGED, "version": FORGED},
        "traceparent": FORGED,
    });
    json!({"jsonrpc": "2.0", "id": FORGED, "method": method, "params": params}).to_string()
}

#[test]
fn what_a_client_says_forges_no_line_of_the_log() {
    let database = Database::fresh().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let settings = "[layers.server]\naudit = { arguments = true }\n";
    std::fs::write(&file, format!("[databases.shop]\nurl = \"{}\"\n{settings}", database.url())).unwrap();
    let mut command = Command::new(cargo_build("database-server"));
    command.arg("--config").arg(&file).args(["--stdio", "--log", "trace"]);
    let mut server = Process::start(&mut command);
    let mut stdin = server.stdin().unwrap();
    let calls = [
        request(FORGED, json!({})),
        request("tools/call", json!({"name": FORGED, "arguments": {}})),
        request(
            "tools/call",
            json!({"name": "execute_query", "arguments": {"query": format!("SELECT '{FORGED}'")}}),
        ),
        request(
            "tools/call",
            json!({"name": "execute_query", "arguments": {"query": FORGED, FORGED: FORGED}}),
        ),
        request("tools/call", json!({"name": "get_table_schema", "arguments": {"table": FORGED}})),
    ];
    for (count, call) in calls.iter().enumerate() {
        writeln!(stdin, "{call}").unwrap();
        server.lines(count + 1);
    }
    drop(stdin);
    let ended = server.wait();
    assert!(ended.status.success(), "{ended:?}");
    let log = &ended.stderr;
    assert!(log.lines().filter(|line| line.contains("forged")).count() >= 2, "nothing is logged:\n{log}");
    assert!(!log.contains(['\u{1b}', '\u{9b}', '\r']), "{log:?}");
    assert!(log.lines().all(|line| !line.starts_with("2026-01-01")), "{log}");
}
