//! A stream from its first byte to its last.

mod common;

use std::io;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use common::{LEFT, Probe, call, server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, duplex, split};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use towline_core::Serve;
use towline_core::protocol::ProtocolVersion;
use towline_transport::memory::{self, Client};
use towline_transport::stdio::Stdio;

/// All that a server writes to a client that writes `input` and ends it.
async fn session<S: Serve>(server: S, options: Stdio, input: &[u8]) -> Vec<Value> {
    let (ours, theirs) = duplex(1024);
    let (reader, writer) = split(theirs);
    let task = tokio::spawn(options.serve_on(server, reader, writer));
    let (mut reader, mut writer) = split(ours);
    let input = input.to_vec();
    tokio::spawn(async move {
        writer.write_all(&input).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut output = String::new();
    reader.read_to_string(&mut output).await.unwrap();
    task.await.unwrap().unwrap();
    output.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

async fn check(input: &str, expected: Value) {
    let answers = session(server(&Probe::default()), Stdio::new(), input.as_bytes()).await;
    assert_eq!(Value::Array(answers), expected, "{input}");
}

fn options(max_in_flight: usize, max_line: usize) -> Stdio {
    Stdio::new()
        .max_in_flight(NonZeroUsize::new(max_in_flight).unwrap())
        .max_line(NonZeroUsize::new(max_line).unwrap())
}

fn ids(answers: &[Value]) -> Vec<&Value> {
    answers.iter().map(|answer| &answer["id"]).collect()
}

#[tokio::test]
async fn lines_are_answered_and_the_end_of_input_ends_it() {
    let answers =
        session(server(&Probe::default()), Stdio::new(), call(1, "echo", r#"{"text":"hi"}"#, "").as_bytes())
            .await;
    assert_eq!(answers[0]["result"]["content"][0]["text"], "hi", "the last line needs no line break");
    check("", json!([])).await;
    check("\n \r\n\n", json!([])).await;
}

#[tokio::test]
async fn notifications_and_answers_are_not_answered() {
    check("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n", json!([])).await;
    check("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n", json!([])).await;
    for params in ["", r#","params":{}"#, r#","params":{"requestId":null}"#, r#","params":{"requestId":99}"#]
    {
        check(
            &format!("{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"{params}}}\n"),
            json!([]),
        )
        .await;
    }
}

#[tokio::test]
async fn bad_lines_are_answered_and_the_next_is_served() {
    let good = call(7, "echo", r#"{"text":"hi"}"#, "");
    for (bad, code) in [
        ("{", -32700),
        ("[]", -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, -32602),
    ] {
        let answers =
            session(server(&Probe::default()), Stdio::new(), format!("{bad}\n{good}\n").as_bytes()).await;
        assert_eq!(answers[0]["error"]["code"], code, "{bad}");
        assert_eq!(answers[1]["result"]["content"][0]["text"], "hi", "{bad}");
    }
    let input = [b"\xff\xfe\n", good.as_bytes(), b"\n"].concat();
    let answers = session(server(&Probe::default()), Stdio::new(), &input).await;
    assert_eq!((&answers[0]["error"]["code"], &answers[1]["id"]), (&json!(-32700), &json!(7)));
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_and_skipped() {
    let long = "x".repeat(100_000);
    let nameless = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{long}\"}}");
    let named = call(2, "echo", &json!({"text": long}).to_string(), "");
    // As the official TypeScript client writes it.
    let last = json!({"name": "echo", "arguments": {"text": long}});
    let last = format!(r#"{{"method":"tools/call","params":{last},"jsonrpc":"2.0","id":"last"}}"#);
    let good = call(3, "echo", r#"{"text":"hi"}"#, "");
    let input = format!("{nameless}\n{named}\n{last}\n{good}\n");
    let answers = session(server(&Probe::default()), options(1, 1000), input.as_bytes()).await;
    assert_eq!(answers.len(), 4);
    for (answer, id) in answers.iter().zip([None, Some(&json!(2)), Some(&json!("last"))]) {
        assert_eq!((answer.get("id"), &answer["error"]["code"]), (id, &json!(413)));
    }
    assert_eq!(answers[3]["result"]["content"][0]["text"], "hi");
}

#[tokio::test(start_paused = true)]
async fn answers_come_as_they_are_ready() {
    let input = [
        call(1, "sleep", r#"{"ms":300}"#, ""),
        call(2, "sleep", r#"{"ms":100}"#, ""),
        call(3, "sleep", r#"{"ms":200}"#, ""),
    ];
    let answers = session(server(&Probe::default()), Stdio::new(), input.join("\n").as_bytes()).await;
    assert_eq!(ids(&answers), [2, 3, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_blocks_its_thread_stops_no_other() {
    let mut client = memory::connect(server(&Probe::default()));
    let start = Instant::now();
    client.send(&call(1, "block", r#"{"ms":1000}"#, "")).await.unwrap();
    // Not tokio's: its timers may wait for the blocked thread.
    std::thread::sleep(Duration::from_millis(50));
    client.send(&call(2, "echo", r#"{"text":"hi"}"#, "")).await.unwrap();
    let first: Value = serde_json::from_str(&client.receive().await.unwrap().unwrap()).unwrap();
    assert_eq!(first["id"], 2);
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
}

#[tokio::test]
async fn over_the_bound_requests_wait_and_then_are_refused() {
    let probe = Probe::default();
    let mut client = Client::new(server(&probe), options(3, 1000), ProtocolVersion::LATEST);
    for id in 0..6 {
        client.send(&call(id, "wait", "{}", "")).await.unwrap();
    }
    probe.until_started(3).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(probe.started(), 3);
    probe.release();
    client.receive().await.unwrap();
    probe.until_started(4).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(probe.started(), 4);

    for id in 6..8 {
        client.send(&call(id, "wait", "{}", "")).await.unwrap();
    }
    let refused: Value = serde_json::from_str(&client.receive().await.unwrap().unwrap()).unwrap();
    assert_eq!((&refused["id"], &refused["error"]["data"]["kind"]), (&json!(7), &json!("overloaded")));
}

#[tokio::test]
async fn at_the_bound_a_cancellation_is_heard() {
    let probe = Probe::default();
    let mut client = Client::new(server(&probe), options(1, 1000), ProtocolVersion::LATEST);
    for id in 0..2 {
        client.send(&call(id, "wait", "{}", "")).await.unwrap();
    }
    probe.until_started(1).await;
    // Of the one that runs, and of one that waits.
    for id in [1, 0] {
        let params = json!({"requestId": id});
        let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
        client.send(&cancel.to_string()).await.unwrap();
    }
    probe.until_dropped(1).await;
    client.send(&call(2, "echo", r#"{"text":"hi"}"#, "")).await.unwrap();
    assert!(client.receive().await.unwrap().unwrap().contains("hi"));
    assert_eq!(probe.started(), 1);
}

#[tokio::test]
async fn an_id_that_is_in_flight_is_refused() {
    let probe = Probe::default();
    let mut client = memory::connect(server(&probe));
    client.send(&call(1, "wait", "{}", "")).await.unwrap();
    client.send(&call(1, "echo", r#"{"text":"hi"}"#, "")).await.unwrap();
    let refused: Value = serde_json::from_str(&client.receive().await.unwrap().unwrap()).unwrap();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(1), &json!(-32600)));
    probe.release();
    let answer: Value = serde_json::from_str(&client.receive().await.unwrap().unwrap()).unwrap();
    assert_eq!(answer["result"]["content"][0]["text"], "released");
    // It is free again.
    client.send(&call(1, "echo", r#"{"text":"again"}"#, "")).await.unwrap();
    assert!(client.receive().await.unwrap().unwrap().contains("again"));
}

#[tokio::test]
async fn a_cancelled_request_is_dropped_and_not_answered() {
    let probe = Probe::default();
    let mut client = memory::connect(server(&probe));
    client.send(&call(1, "wait", "{}", "")).await.unwrap();
    probe.until_started(1).await;
    let cancel =
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"no"}}"#;
    client.send(cancel).await.unwrap();
    probe.until_dropped(1).await;
    // Its id may be used at once, and a late cancellation of the first does no harm to a third.
    client.send(&call(1, "echo", r#"{"text":"next"}"#, "")).await.unwrap();
    assert!(client.receive().await.unwrap().unwrap().contains("next"));
    client.send(cancel).await.unwrap();
    assert_eq!(client.close().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_races_with_answering() {
    let mut client = Client::new(server(&Probe::default()), options(300, 10_000), ProtocolVersion::LATEST);
    for id in 0..300 {
        client.send(&call(id, "sleep", r#"{"ms":0}"#, "")).await.unwrap();
        if id % 3 == 0 {
            tokio::time::sleep(Duration::from_micros(u64::from(id) * 10)).await;
        }
        let cancel = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        );
        client.send(&cancel).await.unwrap();
    }
    let mut seen = std::collections::HashSet::new();
    for line in client.close().await.unwrap() {
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert!(answer["result"].is_object(), "{line}");
        assert!(seen.insert(answer["id"].as_u64()), "answered twice: {line}");
    }
}

#[tokio::test]
async fn reports_come_before_the_answer_and_only_when_asked_for() {
    let mut client = memory::connect(server(&Probe::default())).meta("progressToken", json!("t"));
    let answer = client.call_tool("count", json!({"count": 50})).await.unwrap();
    let progress: Vec<_> =
        answer.notifications.iter().map(|n| n["params"]["progress"].as_f64().unwrap()).collect();
    assert_eq!(progress, (1..=50).map(f64::from).collect::<Vec<_>>());
    assert_eq!(answer.notifications[0]["params"]["progressToken"], "t");

    let mut client = memory::connect(server(&Probe::default()));
    assert_eq!(
        client.call_tool("count", json!({"count": 50})).await.unwrap().notifications,
        Vec::<Value>::new()
    );

    let mut client =
        memory::connect(server(&Probe::default())).meta("io.modelcontextprotocol/logLevel", json!("info"));
    let answer = client.call_tool("count", json!({"count": 5})).await.unwrap();
    assert_eq!(answer.notifications.len(), 1);
    assert_eq!(answer.notifications[0]["params"]["data"], "done");
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_what_reports_to_it() {
    let probe = Probe::default();
    let (ours, theirs) = duplex(1024);
    let (reader, writer) = split(theirs);
    let task = tokio::spawn(Stdio::new().serve_on(server(&probe), reader, writer));
    let (reader, mut writer) = split(ours);
    writer.write_all(call(1, "flood", "{}", r#""progressToken":1"#).as_bytes()).await.unwrap();
    writer.write_all(b"\n").await.unwrap();
    probe.until_started(1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    // When the client goes away altogether, everything ends.
    drop((reader, writer));
    timeout(Duration::from_secs(2), task).await.unwrap().unwrap().unwrap();
    probe.until_dropped(1).await;
}

fn serve_until<S: Serve>(
    server: S,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> (JoinHandle<io::Result<()>>, ReadHalf<DuplexStream>, tokio::io::WriteHalf<DuplexStream>) {
    let (ours, theirs) = duplex(1024);
    let (reader, writer) = split(theirs);
    let options = Stdio::new().shutdown_grace(Duration::from_secs(2));
    let task = tokio::spawn(options.serve_until(server, reader, writer, shutdown));
    let (reader, writer) = split(ours);
    (task, reader, writer)
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_lets_requests_finish() {
    let probe = Probe::default();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (task, mut reader, mut writer) = serve_until(server(&probe), async { drop(stopped.await) });
    writer.write_all(call(1, "sleep", r#"{"ms":1000}"#, "").as_bytes()).await.unwrap();
    writer.write_all(b"\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    stop.send(()).unwrap();
    let mut output = String::new();
    reader.read_to_string(&mut output).await.unwrap();
    assert!(output.contains("slept 1000"), "{output}");
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_ever() {
    let probe = Probe::default();
    let (task, mut reader, mut writer) =
        serve_until(server(&probe), tokio::time::sleep(Duration::from_secs(1)));
    writer.write_all(call(1, "wait", "{}", "").as_bytes()).await.unwrap();
    writer.write_all(b"\n").await.unwrap();
    let start = tokio::time::Instant::now();
    task.await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 3);
    probe.until_dropped(1).await;
    assert_eq!(reader.read(&mut [0; 10]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_input_lets_requests_finish() {
    let input = call(1, "sleep", r#"{"ms":4000}"#, "");
    let answers = session(server(&Probe::default()), Stdio::new(), input.as_bytes()).await;
    assert_eq!(answers[0]["result"]["content"][0]["text"], "slept 4000");
}

#[tokio::test]
async fn dropping_the_session_drops_its_requests() {
    let probe = Probe::default();
    let mut client = memory::connect(server(&probe));
    client.send(&call(1, "wait", "{}", "")).await.unwrap();
    probe.until_started(1).await;
    drop(client);
    probe.until_dropped(1).await;
}

#[tokio::test]
async fn a_panic_in_a_tool_or_in_a_layer_is_an_answer() {
    let mut client = memory::connect(server(&Probe::default()));
    let answer = client.call_tool("panic", json!({})).await.unwrap();
    assert!(!format!("{answer:?}").contains("hunter2"), "{answer:?}");
    assert_eq!(answer.result.unwrap()["isError"], true);

    let layered = server(&Probe::default()).layer(tower::util::MapRequestLayer::new(
        |request: towline_core::Request| {
            assert_ne!(request.method(), "tools/list", "password=hunter2");
            request
        },
    ));
    let mut client = memory::connect(layered);
    let error = client.call("tools/list", json!({})).await.unwrap().result.unwrap_err();
    assert_eq!(error["code"], -32603);
    assert!(!error.to_string().contains("hunter2"), "{error}");
    client.call_tool("echo", json!({"text": "hi"})).await.unwrap().result.unwrap();
}

#[tokio::test]
async fn clients_of_all_revisions_are_served() {
    use ProtocolVersion as V;
    for version in [V::V2024_11_05, V::V2025_03_26, V::V2025_06_18, V::V2025_11_25] {
        let mut client = memory::connect_legacy(server(&Probe::default()), version).await.unwrap();
        assert_eq!(client.call("ping", json!({})).await.unwrap().result, Ok(json!({})));
        let tools = client.call("tools/list", json!({})).await.unwrap().result.unwrap();
        assert!(tools["tools"].as_array().unwrap().len() > 5 && tools.get("resultType").is_none());
        let result = client.call_tool("who", json!({})).await.unwrap().result.unwrap();
        assert_eq!(result["content"][0]["text"], format!("None None Some(\"memory\") {version}"));
        let unknown = client.call("server/discover", json!({})).await.unwrap().result;
        assert_eq!(unknown.unwrap_err()["code"], -32601, "{version}");
        // A request that carries its own revision is served in that one, whatever came before.
        client.send(&call(900, "who", "{}", "")).await.unwrap();
        let answer = client.receive().await.unwrap().unwrap();
        assert!(answer.contains("None None None 2026-07-28"), "{answer}");
    }
    let mut client = memory::connect(server(&Probe::default()));
    let found = client.call("server/discover", json!({})).await.unwrap().result.unwrap();
    assert_eq!(found["supportedVersions"][0], "2026-07-28");
}

#[tokio::test]
async fn an_unknown_revision_is_refused_or_negotiated() {
    let mut client = memory::connect(server(&Probe::default()));
    client.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}}}"#).await.unwrap();
    let refused: Value = serde_json::from_str(&client.receive().await.unwrap().unwrap()).unwrap();
    assert_eq!(
        (&refused["error"]["code"], &refused["error"]["data"]["requested"]),
        (&json!(-32022), &json!("2099-01-01"))
    );
    let init = r#"{"jsonrpc":"2.0","id":2,"method":"initialize","params":{"protocolVersion":"2099-01-01","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#;
    client.send(init).await.unwrap();
    assert!(client.receive().await.unwrap().unwrap().contains(r#""protocolVersion":"2025-11-25""#));
}

#[tokio::test]
async fn reports_that_go_on_after_an_answer_do_not_hold_it_up() {
    const CALLS: u32 = 100;
    let (ours, theirs) = duplex(1024);
    let (reader, writer) = split(theirs);
    let stdio = options(CALLS as usize, 1024);
    let task = tokio::spawn(stdio.serve_on(server(&Probe::default()), reader, writer));
    let (mut reader, mut writer) = split(ours);
    for id in 0..CALLS {
        let line = call(id, "leave", r#"{"ms":50}"#, &format!(r#""progressToken":{id}"#)) + "\n";
        writer.write_all(line.as_bytes()).await.unwrap();
    }
    writer.shutdown().await.unwrap();
    // Meanwhile the reports fill all that there is between the tools and the client.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let mut output = String::new();
    reader.read_to_string(&mut output).await.unwrap();
    task.await.unwrap().unwrap();
    let messages: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(messages.iter().filter(|message| message.get("result").is_some()).count(), CALLS as usize);
    let reports = messages.len() / CALLS as usize;
    assert!(reports < LEFT / 10, "{reports} for each call");
}

#[tokio::test]
async fn one_revision_has_batches() {
    let echo = |id: u32| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"x"}}}}}}"#
        )
    };
    let batch =
        format!(r#"[{},{{"jsonrpc":"2.0","method":"notifications/x"}},{{"id":9}},{}]"#, echo(1), echo(2));
    for version in ProtocolVersion::ALL.into_iter().filter(|version| !version.is_modern()) {
        let mut client = memory::connect_legacy(server(&Probe::default()), version).await.unwrap();
        client.send(&batch).await.unwrap();
        let line = client.receive().await.unwrap().unwrap();
        if version == ProtocolVersion::V2025_03_26 {
            let answers: Vec<serde_json::Value> = serde_json::from_str(&line).unwrap();
            let ids: Vec<_> = answers.iter().map(|answer| answer["id"].as_u64()).collect();
            assert_eq!(ids, [Some(1), Some(9), Some(2)]);
            assert_eq!(answers[1]["error"]["code"], -32600);
            client.send("[]").await.unwrap();
            assert!(client.receive().await.unwrap().unwrap().contains("at least one message"));
        } else {
            assert!(line.contains("this revision has no batches"), "{version}: {line}");
        }
    }
}
