//! Each layer of the database server can be switched on by its file, and does there what it says.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{ChildStdin, Command};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;
use towline_end_to_end::{Process, cargo_build};
use towline_scratch_postgres::Database;

/// A server on standard input and output, one call at a time.
struct Session {
    process: Process,
    stdin: ChildStdin,
    answered: usize,
    _folder: TempDir,
}

impl Session {
    fn new(url: &str, layers: &str) -> Self {
        let (mut command, folder) = server(url, layers);
        let mut process = Process::start(command.arg("--stdio"));
        let stdin = process.stdin().expect("standard input is piped");
        Self { process, stdin, answered: 0, _folder: folder }
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        writeln!(self.stdin, "{}", request(tool, arguments)).expect("the server reads");
        self.answered += 1;
        let lines = self.process.lines(self.answered);
        let answer: Value = serde_json::from_str(lines.last().expect("a line")).expect("JSON");
        answer.get("result").or_else(|| answer.get("error")).expect("a result or an error").clone()
    }

    fn query(&mut self, sql: &str) -> Value {
        self.call("execute_query", &json!({"query": sql}))
    }
}

fn request(tool: &str, arguments: &Value) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
}

/// The command, with these layers in its file and nothing in its environment that configures it.
fn server(url: &str, layers: &str) -> (Command, TempDir) {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = TempDir::new().expect("a temporary directory can be made");
    let file = folder.path().join("server.toml");
    fs::write(&file, format!("[databases.shop]\nurl = \"{url}\"\n\n{layers}"))
        .expect("a file can be written");
    let mut command = Command::new(BUILT.get_or_init(|| cargo_build("database-server")));
    for (name, _) in std::env::vars() {
        if name == "DATABASE_URL" || name.starts_with("TOWLINE_") {
            command.env_remove(name);
        }
    }
    command.arg("--config").arg(file);
    (command, folder)
}

fn error_kind(result: &Value) -> &str {
    let kind = result["_meta"]["dev.towline/error"]["kind"].as_str();
    kind.or_else(|| result["data"]["kind"].as_str()).unwrap_or_default()
}

#[test]
fn equal_queries_are_answered_from_the_cache_and_those_with_a_clock_are_not() {
    let database = Database::fresh().unwrap();
    database.run("CREATE TABLE t AS SELECT 1 AS n").unwrap();
    let layers = "[layers.tool.execute_query]\ncache = { ttl_ms = 600000 }\n";
    let mut session = Session::new(&database.url(), layers);

    assert_eq!(session.query("SELECT n FROM t")["_meta"].get("dev.towline/cache"), None);
    database.run("UPDATE t SET n = 2").unwrap();
    let again = session.query("SELECT n FROM t");
    assert_eq!(again["structuredContent"]["rows"], json!([[1]]));
    assert_eq!(again["_meta"]["dev.towline/cache"]["stale"], false);
    session.query("SELECT now()");
    assert_eq!(session.query("SELECT now()")["_meta"].get("dev.towline/cache"), None);
}

#[test]
fn a_database_that_is_down_is_soon_not_asked_any_more_and_says_when_it_will_be() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://me@{}/shop", listener.local_addr().unwrap());
    drop(listener);
    let layers = "[layers.tools]\nretry = false\n\
        [layers.upstream.shop]\ncircuit_breaker = { consecutive_failures = 3, open_ms = 60000 }\n";
    let mut session = Session::new(&url, layers);
    for _ in 0..3 {
        assert_eq!(error_kind(&session.query("SELECT 1")), "unavailable");
    }
    let refused = session.call("list_tables", &json!({}));
    assert_eq!(error_kind(&refused), "circuit_open");
    assert!(refused["_meta"]["dev.towline/error"]["retryAfterMs"].as_u64().unwrap() > 30_000, "{refused}");
    // What depends on no database still answers.
    let metrics = session.call("get_metrics", &json!({}));
    assert_eq!(metrics["structuredContent"]["upstreams"]["shop"]["state"], "open");
    assert_eq!(session.call("health_check", &json!({}))["structuredContent"]["status"], "unhealthy");
}

#[test]
fn a_model_that_makes_mistakes_opens_no_circuit() {
    let database = Database::fresh().unwrap();
    let layers = "[layers.upstream.shop]\ncircuit_breaker = { consecutive_failures = 2 }\n";
    let mut session = Session::new(&database.url(), layers);
    for sql in ["SELEC 1", "SELECT nothing", "DROP TABLE t", "SELECT 1/0"].repeat(3) {
        assert_eq!(session.query(sql)["isError"], true);
    }
    assert_eq!(session.query("SELECT 1")["structuredContent"]["rows"], json!([[1]]));
}

#[test]
fn an_attempt_has_its_time_and_what_it_did_in_the_database_is_stopped() {
    let database = Database::fresh().unwrap();
    let layers = "[layers.tools]\nretry = false\ntimeout = { timeout_ms = 300 }\n";
    let mut session = Session::new(&database.url(), layers);
    let slow = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";
    assert_eq!(error_kind(&session.query(slow)), "timeout");
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate_series%' AND datname = current_database() \
        AND pid <> pg_backend_pid()";
    for attempt in 0.. {
        if database.run(running).unwrap().trim() == "0" {
            break;
        }
        assert!(attempt < 100, "it goes on");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn callers_who_call_too_often_get_a_429_with_its_header_fields() {
    let database = Database::fresh().unwrap();
    let layers = "[layers.server]\naudit = true\n\
        rate_limit = { policies = [{ name = \"client\", key = [\"client\"], limit = 2, window_ms = 3600000 }] }\n";
    let (mut command, _folder) = server(&database.url(), layers);
    let (process, address) = Process::listen(&mut command);
    for _ in 0..2 {
        assert!(post(address).starts_with("HTTP/1.1 200"));
    }
    let refused = post(address);
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    for field in ["retry-after: ", "ratelimit-policy: \"client\";q=2;w=3600", "ratelimit: \"client\";r=0;t="]
    {
        assert!(refused.to_lowercase().contains(field), "no {field} in\n{refused}");
    }
    let log = process.stderr();
    let audit: Vec<&str> = log.lines().filter(|line| line.contains("decision=")).collect();
    assert_eq!(audit.len(), 3, "{log}");
    assert!(
        audit[2].contains("decision=\"refused\"") && audit[2].contains("outcome=\"rate_limited\""),
        "{}",
        audit[2]
    );
    assert!(!log.contains("SELECT 1"), "arguments are not audited:\n{log}");
}

/// Sends one query over a connection of its own and returns the whole response.
fn post(address: SocketAddr) -> String {
    let body = request("execute_query", &json!({"query": "SELECT 1"})).to_string();
    let mut stream = TcpStream::connect(address).expect("the server takes connections");
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n\
         mcp-method: tools/call\r\nmcp-name: execute_query\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the server reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("text");
    response
}
