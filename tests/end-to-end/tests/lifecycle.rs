//! How a server process begins and ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use towline_end_to_end::Process;

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

#[test]
fn what_was_asked_before_the_end_of_input_is_answered() {
    let mut server = Process::start(fixture().arg("--stdio"));
    let mut stdin = server.stdin().unwrap();
    writeln!(stdin, "{}\n{}", call(1, "nap", r#"{"ms":2000}"#), call(2, "panic", "{}")).unwrap();
    drop(stdin);
    let ended = server.wait();
    assert!(ended.status.success(), "{ended:?}");
    let ids: Vec<Value> = messages(&ended.stdout).map(|message| message["id"].clone()).collect();
    assert_eq!(ids, [2, 1], "answers come as they are ready");
    assert!(ended.stderr.contains("secret detail"), "a panic is told to the operator: {}", ended.stderr);
}

#[test]
fn signals_end_a_server_on_standard_input() {
    for signal in [Process::terminate, Process::interrupt] {
        let mut server = Process::start(fixture().arg("--stdio"));
        let mut stdin = server.stdin().unwrap();
        writeln!(stdin, "{}", call(1, "test_simple_text", "{}")).unwrap();
        server.lines(1);
        writeln!(stdin, "{}", call(2, "nap", r#"{"ms":300}"#)).unwrap();
        thread::sleep(Duration::from_millis(100));
        signal(&server);
        let ended = server.wait();
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(messages(&ended.stdout).count(), 2, "{ended:?}");
    }
}

#[test]
fn signals_end_an_http_server_when_it_has_answered() {
    for signal in [Process::terminate, Process::interrupt] {
        let (server, address) = Process::listen(&mut fixture());
        let asking = thread::spawn(move || post(address, "nap", &call(1, "nap", r#"{"ms":500}"#)));
        thread::sleep(Duration::from_millis(200));
        signal(&server);
        let answer = asking.join().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("rested"), "{answer}");
        let ended = server.wait();
        assert!(ended.status.success(), "{ended:?}");
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
        assert_eq!(ended.stdout, "");
    }
}

/// A client that is killed closes its end of the pipe without a word.
#[test]
fn a_reader_that_is_gone_ends_a_server() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_fixture"));
    let mut server = server
        .arg("--stdio")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(server.stdout.take());
    let mut stdin = server.stdin.take().unwrap();
    for id in 0..10 {
        // The server may be gone by now.
        let _ = writeln!(stdin, "{}", call(id, "test_simple_text", "{}"));
        thread::sleep(Duration::from_millis(20));
    }
    let ended = (0..200).find_map(|_| {
        thread::sleep(Duration::from_millis(50));
        server.try_wait().unwrap()
    });
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}

fn fixture() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fixture"))
}

fn call(id: u32, tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},{META}}}}}"#
    )
}

/// Standard output, line by line: nothing may be there but messages.
fn messages(stdout: &str) -> impl Iterator<Item = Value> {
    stdout.lines().map(|line| {
        let message: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no message: {line:?}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        message
    })
}

fn post(address: SocketAddr, tool: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
         Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
