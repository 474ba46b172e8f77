//! Tasks that survive the process that runs them.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use towline_scratch_postgres::Database;

/// A server, and the way to ask it.
struct Running {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    last: u32,
}

impl Running {
    fn start(url: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tasks"))
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, input, output: BufReader::new(output).lines(), last: 0 }
    }

    async fn ask(&mut self, method: &str, mut params: Value) -> Value {
        self.last += 1;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
        });
        let request = json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params});
        self.input.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        let line = tokio::time::timeout(Duration::from_secs(10), self.output.next_line()).await;
        let mut answer: Value = serde_json::from_str(&line.unwrap().unwrap().unwrap()).unwrap();
        answer["result"].take()
    }

    async fn begin(&mut self, tool: &str) -> Value {
        self.ask("tools/call", json!({"name": tool})).await["taskId"].take()
    }

    async fn until(&mut self, id: &Value, status: &str) -> Value {
        for _ in 0..500 {
            let task = self.ask("tasks/get", json!({"taskId": id})).await;
            if task["status"] == status {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it never was {status}");
    }
}

#[tokio::test]
async fn a_killed_process_loses_no_outcome_and_leaves_no_task_at_work_for_ever() {
    let database = Database::fresh().unwrap();
    let mut first = Running::start(&database.url());
    let mut done = Vec::new();
    for _ in 0..20 {
        let id = first.begin("quick").await;
        first.until(&id, "completed").await;
        done.push(id);
    }
    let slow = first.begin("slow").await;
    first.until(&slow, "working").await;
    // SIGKILL.
    first.process.kill().await.unwrap();

    let mut second = Running::start(&database.url());
    for id in &done {
        let task = second.until(id, "completed").await;
        assert_eq!(task["result"]["content"][0]["text"], "done");
    }
    let task = second.until(&slow, "failed").await;
    assert_eq!(task["error"]["code"], -32603);
    assert!(task["error"]["message"].as_str().unwrap().starts_with("the server that ran this task is gone"));
}
