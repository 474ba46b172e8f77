//! Long jobs whose clients come back for what comes of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use towline_core::protocol::ProtocolVersion;
use towline_core::{
    Context, Error, ErrorKind, Input, Principal, Router, Server, TaskOptions, Tasks, ToolExt, ToolResult,
    tool_fn,
};
use towline_transport::memory::{self, Client};
use towline_transport::stdio::Stdio;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Confirm {
    sure: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Name {
    name: String,
}

/// What the tools have done, and the way to let them go on.
#[derive(Clone, Default)]
struct Probe {
    go: Arc<Notify>,
    dropped: Arc<AtomicUsize>,
}

struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn router(tasks: &Tasks, probe: &Probe) -> Router {
    let options = || TaskOptions::new().poll_interval(Duration::from_millis(10));
    let seen = probe.clone();
    let slow = tool_fn("slow", "Waits until it may go on.", move |_: Nothing, context: Context| {
        let seen = seen.clone();
        async move {
            let _dropped = Dropped(Arc::clone(&seen.dropped));
            context.progress(0.5, None, Some("half done")).await;
            seen.go.notified().await;
            "done"
        }
    });
    let both = tool_fn("both", "Asks two things.", async |_: Nothing, mut input: Input| {
        let first = input.elicit::<Name>("first", "First?");
        let second = input.elicit::<Name>("second", "Second?");
        let (Some(first), Some(second)) = (first, second) else { return input.ask() };
        let name = |answer: towline_core::protocol::Elicited<Name>| answer.accepted().map(|form| form.name);
        Ok(ToolResult::text(format!("{:?} {:?}", name(first), name(second))))
    });
    let first_ask = tool_fn("first_ask", "Asks, then begins a task.", {
        let tasks = tasks.clone();
        move |_: Nothing, mut input: Input| {
            let tasks = tasks.clone();
            async move {
                let Some(answer) = input.elicit::<Name>("user_name", "Who?") else { return input.ask() };
                let name = answer.accepted().map(|form| form.name).unwrap_or_default();
                let work = move |_: Input| {
                    let name = name.clone();
                    async move { format!("Hello, {name}!") }
                };
                tasks.run(input.context().clone(), &TaskOptions::new(), work).await
            }
        }
    });
    Router::new("test", "1")
        .tasks(tasks)
        .tool(slow.into_task(tasks, options()))
        .tool(both.into_task(tasks, options()))
        .tool(first_ask)
        .tool(
            tool_fn("confirm", "Asks first.", async |_: Nothing, mut input: Input| {
                match input.elicit::<Confirm>("confirm", "Sure?") {
                    Some(answer) => {
                        Ok(ToolResult::text(format!("{:?}", answer.accepted().map(|form| form.sure))))
                    }
                    None => input.ask(),
                }
            })
            .into_task(tasks, options()),
        )
        .tool(
            tool_fn("bad", "Has a bad outcome.", async || ToolResult::error("no"))
                .into_task(tasks, options().required()),
        )
        .tool(
            tool_fn("down", "Fails.", async || {
                Err::<String, _>(Error::new(ErrorKind::Unavailable, "It is down."))
            })
            .into_task(tasks, options()),
        )
        .tool(
            tool_fn("defect", "Breaks.", async || Err::<String, _>(Error::internal("password=hunter2")))
                .into_task(tasks, options()),
        )
        .tool(
            tool_fn("panic", "Panics.", async || -> String { panic!("password=hunter2") })
                .into_task(tasks, options()),
        )
        .tool(
            tool_fn("short", "Is not kept for long.", async || {
                sleep(Duration::from_secs(60)).await;
                "never"
            })
            .into_task(tasks, options().ttl(Some(Duration::from_millis(50)))),
        )
}

fn capabilities() -> Value {
    json!({"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}})
}

fn connect(probe: &Probe) -> Client {
    let tasks = Tasks::in_memory();
    memory::connect(Server::new(router(&tasks, probe))).capabilities(capabilities())
}

async fn result(client: &mut Client, method: &str, params: Value) -> Value {
    client.call(method, params).await.unwrap().result.expect(method)
}

async fn begin(client: &mut Client, tool: &str) -> String {
    let created = result(client, "tools/call", json!({"name": tool})).await;
    assert_eq!(
        (&created["resultType"], &created["status"]),
        (&json!("task"), &json!("working")),
        "{created}"
    );
    for absent in ["result", "error", "inputRequests", "requestState", "content", "task"] {
        assert_eq!(created.get(absent), None, "{created}");
    }
    assert!(created["createdAt"].as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')), "{created}");
    created["taskId"].as_str().unwrap().to_owned()
}

async fn get(client: &mut Client, id: &str) -> Value {
    result(client, "tasks/get", json!({"taskId": id})).await
}

/// Looks until the task stands so.
async fn until(client: &mut Client, id: &str, status: &str) -> Value {
    let look = async {
        loop {
            let task = get(client, id).await;
            assert_eq!(task["resultType"], "complete");
            if task["status"] == status {
                return task;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), look).await.unwrap_or_else(|_| panic!("it never was {status}"))
}

#[tokio::test]
async fn a_client_comes_back_for_what_comes_of_a_call() {
    let probe = Probe::default();
    let mut client = connect(&probe);
    let told = result(&mut client, "server/discover", json!({})).await;
    assert_eq!(told["capabilities"]["extensions"], json!({"io.modelcontextprotocol/tasks": {}}));
    let id = begin(&mut client, "slow").await;
    let task = get(&mut client, &id).await;
    assert_eq!(
        (&task["status"], &task["ttlMs"], &task["pollIntervalMs"]),
        (&json!("working"), &json!(3_600_000), &json!(10))
    );
    let says = async {
        while get(&mut client, &id).await["statusMessage"] != "half done" {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), says).await.unwrap();
    probe.go.notify_one();
    let task = until(&mut client, &id, "completed").await;
    assert_eq!(task["result"]["content"][0]["text"], "done");
    assert_eq!(task["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "test");
    assert_eq!(get(&mut client, &id).await, task, "it stays so");
}

#[tokio::test]
async fn each_outcome_is_told_as_what_it_is() {
    let mut client = connect(&Probe::default());
    for (tool, text) in [("bad", "no"), ("down", "It is down.")] {
        let id = begin(&mut client, tool).await;
        let result = until(&mut client, &id, "completed").await["result"].take();
        assert_eq!((&result["isError"], &result["content"][0]["text"]), (&json!(true), &json!(text)));
    }
    for tool in ["defect", "panic"] {
        let id = begin(&mut client, tool).await;
        let task = until(&mut client, &id, "failed").await;
        assert_eq!((&task["error"]["code"], task.get("result")), (&json!(-32603), None));
        assert!(!task.to_string().contains("hunter2"), "{task}");
    }
}

#[tokio::test]
async fn a_task_waits_for_input() {
    let mut client = connect(&Probe::default());
    let id = begin(&mut client, "both").await;
    let task = until(&mut client, &id, "input_required").await;
    assert_eq!(task["inputRequests"]["first"]["method"], "elicitation/create");
    assert_eq!(task["inputRequests"].as_object().unwrap().len(), 2);
    let give = |key: &str, name: Value| {
        let answer = json!({"action": "accept", "content": {"name": name}});
        json!({"taskId": id, "inputResponses": {key: answer, "else": {"action": "accept"}}})
    };
    let noted = result(&mut client, "tasks/update", give("first", json!("Ada"))).await;
    // Another crate of the same build decides whether a map keeps its order.
    let noted: BTreeSet<_> = noted.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(noted, BTreeSet::from(["_meta", "resultType"]));
    let task = get(&mut client, &id).await;
    assert_eq!(
        (&task["status"], task["inputRequests"].as_object().unwrap().len()),
        (&json!("input_required"), 1)
    );
    // What the form does not allow is asked for again, under a key that was never used.
    result(&mut client, "tasks/update", give("second", json!(5))).await;
    let task = loop {
        let task = until(&mut client, &id, "input_required").await;
        if task["inputRequests"].get("second").is_none() {
            break task;
        }
    };
    assert_eq!(task["inputRequests"].as_object().unwrap().keys().collect::<Vec<_>>(), ["second#2"]);
    result(&mut client, "tasks/update", give("second", json!("late"))).await;
    result(&mut client, "tasks/update", give("second#2", json!("Grace"))).await;
    let task = until(&mut client, &id, "completed").await;
    assert_eq!(task["result"]["content"][0]["text"], r#"Some("Ada") Some("Grace")"#);
    assert_eq!(task.get("inputRequests"), None);
}

#[tokio::test]
async fn a_tool_may_ask_before_it_begins_a_task() {
    let mut client = connect(&Probe::default());
    let asked = result(&mut client, "tools/call", json!({"name": "first_ask"})).await;
    assert_eq!((&asked["resultType"], asked.get("taskId")), (&json!("input_required"), None));
    let answers = json!({"user_name": {"action": "accept", "content": {"name": "Ada"}}});
    let created =
        result(&mut client, "tools/call", json!({"name": "first_ask", "inputResponses": answers})).await;
    assert_eq!(created["resultType"], "task");
    let task = until(&mut client, created["taskId"].as_str().unwrap(), "completed").await;
    assert_eq!(task["result"]["content"][0]["text"], "Hello, Ada!");
}

#[tokio::test]
async fn a_task_is_ended_by_its_client_or_by_its_time() {
    let probe = Probe::default();
    let mut client = connect(&probe);
    let id = begin(&mut client, "slow").await;
    for _ in 0..2 {
        let noted = result(&mut client, "tasks/cancel", json!({"taskId": id})).await;
        assert_eq!(noted["resultType"], "complete");
    }
    assert_eq!(get(&mut client, &id).await["status"], "cancelled");
    let dropped = async {
        while probe.dropped.load(Ordering::SeqCst) == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), dropped).await.expect("the work is dropped");

    let id = begin(&mut client, "confirm").await;
    until(&mut client, &id, "input_required").await;
    result(&mut client, "tasks/cancel", json!({"taskId": id})).await;
    assert_eq!(get(&mut client, &id).await["status"], "cancelled");

    let id = begin(&mut client, "short").await;
    sleep(Duration::from_millis(100)).await;
    let gone = client.call("tasks/get", json!({"taskId": id})).await.unwrap().result.unwrap_err();
    assert_eq!(gone["code"], -32602);
}

#[tokio::test]
async fn clients_that_know_no_tasks_wait_or_are_refused() {
    let probe = Probe::default();
    let tasks = Tasks::in_memory();
    let server = || Server::new(router(&tasks, &probe));
    let mut plain = memory::connect(server()).capabilities(json!({"elicitation": {}}));
    probe.go.notify_one();
    let answer = result(&mut plain, "tools/call", json!({"name": "slow"})).await;
    assert_eq!(answer["content"][0]["text"], "done");
    let required = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    for (method, params) in [
        ("tools/call", json!({"name": "bad"})),
        ("tasks/get", json!({"taskId": "nothing"})),
        ("tasks/update", json!({"taskId": "nothing", "inputResponses": {}})),
        ("tasks/cancel", json!({"taskId": "nothing"})),
        ("subscriptions/listen", json!({"notifications": {"taskIds": ["nothing"]}})),
    ] {
        let error = plain.call(method, params).await.unwrap().result.unwrap_err();
        assert_eq!(
            (&error["code"], &error["data"]["requiredCapabilities"]),
            (&json!(-32021), &required),
            "{method}"
        );
    }
    let mut old = Client::new(server(), Stdio::new(), ProtocolVersion::V2025_11_25)
        .capabilities(capabilities())
        .shake_hands()
        .await
        .unwrap();
    probe.go.notify_one();
    let answer = result(&mut old, "tools/call", json!({"name": "slow"})).await;
    assert_eq!(answer["content"][0]["text"], "done");
    assert_eq!(
        old.call("tasks/get", json!({"taskId": "x"})).await.unwrap().result.unwrap_err()["code"],
        -32601
    );
    let mut client = memory::connect(server()).capabilities(capabilities());
    for method in ["tasks/list", "tasks/result"] {
        assert_eq!(
            client.call(method, json!({"taskId": "x"})).await.unwrap().result.unwrap_err()["code"],
            -32601
        );
    }
}

/// Says who calls, as a layer for authentication would.
#[derive(Clone)]
struct Caller<S>(S, &'static str);

impl<S: tower::Service<towline_core::Request>> tower::Service<towline_core::Request> for Caller<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: towline_core::Request) -> S::Future {
        request.context_mut().extensions_mut().insert(Principal::new(self.1));
        self.0.call(request)
    }
}

#[tokio::test]
async fn a_task_is_its_caller_s_alone() {
    let (tasks, probe) = (Tasks::in_memory(), Probe::default());
    let of = |name: &'static str| {
        let server = Server::new(router(&tasks, &probe));
        let server = server.layer(tower::layer::layer_fn(move |inner| Caller(inner, name)));
        memory::connect(server).capabilities(capabilities())
    };
    let (mut alice, mut bob) = (of("alice"), of("bob"));
    let id = begin(&mut alice, "slow").await;
    assert!(id.len() >= 22, "{id}");
    let mut told = Vec::new();
    for method in ["tasks/get", "tasks/cancel"] {
        told.push(bob.call(method, json!({"taskId": id})).await.unwrap().result.unwrap_err());
        told.push(
            bob.call(method, json!({"taskId": "AAAAAAAAAAAAAAAAAAAAAA"})).await.unwrap().result.unwrap_err(),
        );
    }
    assert!(told.iter().all(|error| *error == told[0] && error["code"] == -32602), "{told:?}");
    let mut again = of("alice");
    assert_eq!(get(&mut again, &id).await["status"], "working");
    probe.go.notify_one();
    until(&mut again, &id, "completed").await;
}

#[tokio::test]
async fn who_watches_a_task_is_told_what_becomes_of_it() {
    let probe = Probe::default();
    let mut client = connect(&probe);
    let id = begin(&mut client, "slow").await;
    let other = begin(&mut client, "confirm").await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities(),
    });
    let filter = json!({"taskIds": [id, "nothing"], "toolsListChanged": true});
    let listen = json!({"jsonrpc": "2.0", "id": "s", "method": "subscriptions/listen", "params": {"_meta": meta, "notifications": filter}});
    client.send(&listen.to_string()).await.unwrap();
    let next = async |client: &mut Client| -> Value {
        let line = timeout(Duration::from_secs(5), client.receive()).await.expect("something comes");
        serde_json::from_str(&line.unwrap().unwrap()).unwrap()
    };
    let acknowledged = next(&mut client).await;
    // This server's tools never change.
    assert_eq!(acknowledged["params"]["notifications"], json!({"taskIds": [id]}));
    probe.go.notify_one();
    let told = loop {
        let told = next(&mut client).await;
        assert_eq!((&told["method"], &told["params"]["taskId"]), (&json!("notifications/tasks"), &json!(id)));
        if told["params"]["status"] != "working" {
            break told;
        }
    };
    assert_eq!(told["params"]["_meta"], json!({"io.modelcontextprotocol/subscriptionId": "s"}));
    assert_eq!(told["params"]["result"]["content"][0]["text"], "done");
    assert_ne!(other, id);
}

#[tokio::test]
async fn one_caller_has_a_bound() {
    let mut client = connect(&Probe::default());
    for _ in 0..100 {
        begin(&mut client, "slow").await;
    }
    let refused = result(&mut client, "tools/call", json!({"name": "slow"})).await;
    assert_eq!(refused["isError"], true);
    assert!(
        refused["content"][0]["text"].as_str().unwrap().starts_with("too many of your tasks"),
        "{refused}"
    );
}
