//! Whole processes: standard streams and signals. This program is the client, and started by itself with an argument
//! it is the server.
#![cfg(unix)]

mod common;

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use common::wire::{Connection, post_call};
use common::{Probe, call, server};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        match std::env::args().nth(1).as_deref() {
            Some("serve-stdio") => {
                towline_transport::stdio::serve(server(&Probe::default())).await.unwrap();
            }
            Some("serve-http") => {
                let address = std::env::args().nth(2).unwrap();
                towline_transport::http::serve(server(&Probe::default()), address).await.unwrap();
            }
            // The test runner's own arguments, such as a filter, do not matter to so few.
            _ => checks().await,
        }
    });
}

async fn checks() {
    answers_then_ends_with_its_input().await;
    a_tool_that_blocks_its_thread_stops_no_other().await;
    standard_streams_may_be_sockets().await;
    signals_end_a_session_whose_input_stays_open("TERM").await;
    signals_end_a_session_whose_input_stays_open("INT").await;
    a_client_that_closes_the_output_ends_the_session().await;
    a_signal_lets_http_requests_finish().await;
}

struct Served {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Served {
    fn start() -> Self {
        let mut child = program("serve-stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, input, output }
    }

    async fn send(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn receive(&mut self) -> String {
        let line = timeout(Duration::from_secs(5), self.output.next_line());
        line.await.expect("in time").unwrap().expect("a line")
    }
}

fn program(mode: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(mode).kill_on_drop(true);
    command
}

async fn signal(child: &Child, name: &str) {
    // A shell has this built in; the program `kill` is not everywhere.
    let kill = format!("kill -s {name} {}", child.id().unwrap());
    assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
}

async fn ended(child: &mut Child) -> ExitStatus {
    timeout(Duration::from_secs(4), child.wait()).await.expect("the process ends").unwrap()
}

async fn answers_then_ends_with_its_input() {
    let mut served = Served::start();
    served.send(&call(1, "echo", r#"{"text":"hi"}"#, "")).await;
    assert!(served.receive().await.contains("hi"));
    served.send(&call(2, "sleep", r#"{"ms":300}"#, "")).await;
    drop(served.input);
    let mut rest = Vec::new();
    while let Some(line) = served.output.next_line().await.unwrap() {
        rest.push(line);
    }
    assert!(rest.len() == 1 && rest[0].contains("slept 300"), "{rest:?}");
    assert!(ended(&mut served.child).await.success());
}

async fn a_tool_that_blocks_its_thread_stops_no_other() {
    let mut served = Served::start();
    for _ in 0..3 {
        let start = Instant::now();
        served.send(&call(1, "block", r#"{"ms":1000}"#, "")).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        served.send(&call(2, "echo", r#"{"text":"hi"}"#, "")).await;
        assert!(served.receive().await.contains(r#""id":2"#));
        assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
        assert!(served.receive().await.contains("blocked"));
    }
}

/// As clients that run on Node.js start their servers.
async fn standard_streams_may_be_sockets() {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    let (input, their_input) = UnixStream::pair().unwrap();
    let (output, their_output) = UnixStream::pair().unwrap();
    let mut child = program("serve-stdio")
        .stdin(Stdio::from(OwnedFd::from(their_input)))
        .stdout(Stdio::from(OwnedFd::from(their_output)))
        .spawn()
        .unwrap();
    for stream in [&input, &output] {
        stream.set_nonblocking(true).unwrap();
    }
    let mut input = tokio::net::UnixStream::from_std(input).unwrap();
    let mut output = BufReader::new(tokio::net::UnixStream::from_std(output).unwrap()).lines();
    for _ in 0..3 {
        input.write_all(format!("{}\n", call(1, "echo", r#"{"text":"hi"}"#, "")).as_bytes()).await.unwrap();
        let line = timeout(Duration::from_secs(5), output.next_line()).await.expect("in time");
        assert!(line.unwrap().expect("a line").contains("hi"));
    }
    signal(&child, "TERM").await;
    assert!(ended(&mut child).await.success());
}

async fn signals_end_a_session_whose_input_stays_open(name: &str) {
    let mut served = Served::start();
    served.send(&call(1, "echo", r#"{"text":"ready"}"#, "")).await;
    served.receive().await;
    served.send(&call(2, "sleep", r#"{"ms":300}"#, "")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    signal(&served.child, name).await;
    assert!(served.receive().await.contains("slept 300"), "{name}");
    assert!(ended(&mut served.child).await.success(), "{name}");
}

async fn a_client_that_closes_the_output_ends_the_session() {
    let mut served = Served::start();
    drop(served.output);
    served.input.write_all(format!("{}\n", call(1, "echo", r#"{"text":"x"}"#, "")).as_bytes()).await.unwrap();
    assert!(ended(&mut served.child).await.success());
}

async fn a_signal_lets_http_requests_finish() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut child = program("serve-http").arg(port.to_string()).spawn().unwrap();
    let start = Instant::now();
    let mut connection = loop {
        match tokio::net::TcpStream::connect(port).await {
            Ok(_) => break Connection::to(port).await,
            Err(_) => assert!(start.elapsed() < Duration::from_secs(5), "it listens"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    connection.write(post_call("sleep", r#"{"ms":500}"#, "")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    signal(&child, "TERM").await;
    assert!(connection.rest().await.contains("slept 500"));
    let mut nothing = Vec::new();
    let _ = connection.stream.read_to_end(&mut nothing).await;
    assert!(ended(&mut child).await.success());
}
