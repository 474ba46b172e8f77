//! The binary.

mod client;

use std::process::Stdio;

use client::get;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sample-apis"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn it_prints_its_addresses_and_serves_there() {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    let mut child = command()
        .args(["--listen", "127.0.0.1:0", "--https", "127.0.0.1:0", "--max-age", "7", "--authority"])
        .arg(&authority)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines.next_line().await.unwrap().unwrap();
    let reply = get(&url, "/weather/forecast?city=Berlin").await;
    assert_eq!(reply.header("cache-control"), Some("public, max-age=7"));
    assert!(lines.next_line().await.unwrap().unwrap().starts_with("https://localhost:"));
    assert!(std::fs::read_to_string(authority).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    child.kill().await.unwrap();
}

#[tokio::test]
async fn it_tells_its_options() {
    let output = command().arg("--help").output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for option in ["--listen", "--https", "--authority", "--token-lifetime", "--max-age"] {
        assert!(text.contains(option), "{option}: {text}");
    }
}

#[tokio::test]
async fn it_serves_this_machine_only() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", "8080"] {
        let output = command().args(["--listen", address]).output().await.unwrap();
        assert_eq!(output.status.code(), Some(2), "{address}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("127.0.0.1:9090"), "{address}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let output =
        command().args(["--listen", &taken.local_addr().unwrap().to_string()]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("sample-apis: "));
}
