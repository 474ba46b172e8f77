//! Every official SDK, and FastMCP, calls a tool of every kind, and reads resources and prompts, in both eras, over both wires.

use std::path::Path;

use serde_json::{Value, json};
use towline_end_to_end::{
    Answer, Browse, Browsed, Client, Era, Outcome, Plan, Report, Schemas, Setup, Step, Wire,
};

/// How many tools the fixture has.
const TOOLS: usize = 25;

macro_rules! tests {
    ($($name:ident: $client:ident $era:ident $wire:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                try_everything(Client::$client, Era::$era, Wire::$wire).await;
            }
        )*
    };
}

tests! {
    rmcp_over_stdio: Rmcp Modern Stdio;
    rmcp_over_http: Rmcp Modern Http;
    rmcp_over_stdio_with_a_handshake: Rmcp Legacy Stdio;
    rmcp_over_http_with_a_handshake: Rmcp Legacy Http;
    python_over_stdio: Python Modern Stdio;
    python_over_http: Python Modern Http;
    python_over_stdio_with_a_handshake: Python Legacy Stdio;
    python_over_http_with_a_handshake: Python Legacy Http;
    python_v1_over_stdio: PythonV1 Legacy Stdio;
    python_v1_over_http: PythonV1 Legacy Http;
    fastmcp_over_stdio: FastMcp Modern Stdio;
    fastmcp_over_http: FastMcp Modern Http;
    fastmcp_over_stdio_with_a_handshake: FastMcp Legacy Stdio;
    fastmcp_over_http_with_a_handshake: FastMcp Legacy Http;
    typescript_over_stdio: TypeScript Modern Stdio;
    typescript_over_http: TypeScript Modern Http;
    typescript_over_stdio_with_a_handshake: TypeScript Legacy Stdio;
    typescript_over_http_with_a_handshake: TypeScript Legacy Http;
    typescript_v1_over_stdio: TypeScriptV1 Legacy Stdio;
    typescript_v1_over_http: TypeScriptV1 Legacy Http;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inspector_over_stdio() {
    inspect(Wire::Stdio).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inspector_over_http() {
    inspect(Wire::Http).await;
}

/// What a revision lacks is left out or told in other words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_revisions_get_what_they_know() {
    for (wire, revision) in [
        (Wire::Stdio, "2025-06-18"),
        (Wire::Http, "2025-06-18"),
        (Wire::Stdio, "2025-03-26"),
        (Wire::Http, "2025-03-26"),
        (Wire::Stdio, "2024-11-05"),
        (Wire::Http, "2024-11-05"),
    ] {
        let setup = set_up(wire).await;
        let tools = ["test_simple_text", "test_audio_content", "link", "test_error_handling", "who"];
        let mut calls: Vec<_> = tools.map(|tool| Step::call(tool, json!({}))).into();
        calls.push(Step::call("add", json!({"a": 2, "b": 3})));
        let plan = Plan { revision: Some(revision), ..Plan::new(Era::Legacy, setup.target(), calls) };
        let report = Client::Rmcp.carry_out(&plan).await;
        let agreed = setup.conversations().iter().find_map(towline_end_to_end::Conversation::agreed);
        assert_eq!(agreed.as_deref(), Some(revision));

        let outcome = |tool| outcome(&plan, &report, tool);
        let kind = |tool| outcome(tool).content.as_ref().map(|blocks| blocks[0]["type"].clone());
        assert_eq!(kind("test_simple_text"), Some(json!("text")));
        let audio = if revision >= "2025-03-26" { "audio" } else { "text" };
        assert_eq!(kind("test_audio_content"), Some(json!(audio)));
        let link = if revision >= "2025-06-18" { "resource_link" } else { "text" };
        assert_eq!(kind("link"), Some(json!(link)));
        assert!(outcome("test_error_handling").is_error);
        assert!(outcome("who").text().is_some_and(|who| who.ends_with(revision)), "{report:?}");
        let is_structured = outcome("add").structured.is_some();
        assert_eq!(is_structured, revision >= "2025-06-18");
        assert_eq!(outcome("add").text(), Some(r#"{"sum":5}"#));
        // The conformance suite has no schema of the first revision.
        if revision > "2024-11-05" {
            Schemas::load().await.check(&setup.conversations());
        }
    }
}

async fn set_up(wire: Wire) -> Setup {
    let (tap, fixture) = (env!("CARGO_BIN_EXE_tap"), env!("CARGO_BIN_EXE_fixture"));
    Setup::new(wire, Path::new(tap), Path::new(fixture), &[]).await
}

async fn try_everything(client: Client, era: Era, wire: Wire) {
    let setup = set_up(wire).await;
    let cases = cases(client, era, wire);
    let calls = cases.iter().map(|(step, _)| step.clone()).collect();
    let plan = Plan { browse: Some(browse()), ..Plan::new(era, setup.target(), calls) };
    let report = client.carry_out(&plan).await;

    check_identity(&report, era);
    check_browsed(report.browsed.as_ref().expect("the client has looked around"), era);
    for ((step, expected), outcome) in cases.iter().zip(&report.calls) {
        check(step.tool, outcome, expected);
    }
    check_content(&plan, &report);
    check_notifications(&plan, &report, era);
    let revision = if era == Era::Modern { "2026-07-28" } else { "2025-11-25" };
    let who = outcome(&plan, &report, "who").text().unwrap_or_default();
    // A handshake over HTTP is forgotten: this server needs no session.
    let is_known = era == Era::Modern || wire == Wire::Stdio;
    assert!(who.ends_with(revision) && who.starts_with("nobody") != is_known, "{who}");

    let conversations = setup.conversations();
    let agreed = conversations.iter().find_map(towline_end_to_end::Conversation::agreed);
    assert_eq!(agreed.as_deref(), (era == Era::Legacy).then_some("2025-11-25"));
    let messages = Schemas::load().await.check(&conversations);
    // One call has no answer; the handshake and the list have one too, and some calls have notifications.
    assert!(messages > plan.calls.len() + 2, "{messages} messages");
}

/// The Inspector's command line has a process for each request, which takes its time: it tries one thing of a kind.
async fn inspect(wire: Wire) {
    for (era, agreed) in [(Era::Modern, None), (Era::Legacy, Some("2025-11-25"))] {
        let setup = set_up(wire).await;
        let calls = vec![
            Step::call("test_multiple_content_types", json!({})),
            Step::call("add", json!({"a": 2, "b": 3})),
            Step::call("test_custom_header", json!({"value": "Grüße, \"Welt\" "})),
            Step::call("test_error_handling", json!({})),
            Step::call("test_missing_capability", json!({})),
        ];
        let browse = Browse {
            read: vec!["test://static-text", "test://template/123/data"],
            get: vec![("test_prompt_with_arguments", json!({"arg1": "a", "arg2": "b"}))],
            complete: vec![],
        };
        let plan = Plan { browse: Some(browse), ..Plan::new(era, setup.target(), calls) };
        let report = Client::Inspector.carry_out(&plan).await;

        assert_eq!(report.tools.len(), TOOLS, "{:?}", report.tools);
        let [content, sum, header, failure, refusal] = &report.calls[..] else { panic!("{report:?}") };
        assert_eq!(content.content.as_ref().map(Vec::len), Some(3));
        assert_eq!(sum.structured, Some(json!({"sum": 5})));
        assert_eq!(header.answer(), Answer::Text("Grüße, \"Welt\" "));
        check("failure", failure, &Expected::Failure(&["This tool intentionally returns an error"]));
        let refusal = refusal.error.as_ref().expect("the Inspector cannot sample");
        assert_eq!(refusal.message, "the client lacks a required capability");

        let browsed = report.browsed.expect("the Inspector has looked around");
        let counts = (browsed.resources.len(), browsed.templates.len(), browsed.prompts.len());
        assert_eq!(counts, (4, 1, 5));
        let text = |at: usize| browsed.read[at]["contents"][0]["text"].as_str().unwrap_or_default();
        assert_eq!(text(0), "This is the content of the static text resource.");
        assert!(text(1).contains("Data for ID: 123"), "{}", text(1));
        let said = &browsed.got[0]["messages"][0]["content"]["text"];
        assert_eq!(said, "Prompt with arguments: arg1='a', arg2='b'");

        let conversations = setup.conversations();
        assert_eq!(
            conversations.iter().find_map(towline_end_to_end::Conversation::agreed).as_deref(),
            agreed
        );
        Schemas::load().await.check(&conversations);
    }
}

/// What a call should bring.
enum Expected {
    Text(&'static str),
    /// A result with `isError` whose text has all of this.
    Failure(&'static [&'static str]),
    /// A protocol error.
    Error(i64),
    Cancelled,
    /// A result that is looked at more closely elsewhere.
    Result,
}

fn cases(client: Client, era: Era, wire: Wire) -> Vec<(Step, Expected)> {
    use Expected::{Cancelled, Error, Failure, Result, Text};
    let call = |tool| Step::call(tool, json!({}));
    let log = |tool, level| if era == Era::Modern { call(tool).with_log(level) } else { call(tool) };
    // Over HTTP a handshake's client asks for the end of a request by a request of its own. Nothing ties the two
    // together without a session, so the call goes on. Python's first generation only stops waiting.
    let cancels = (era == Era::Modern || wire == Wire::Stdio) && client != Client::PythonV1;
    let mut cases = vec![
        (call("test_simple_text"), Text("This is a simple text response for testing.")),
        (call("test_image_content"), Result),
        (call("test_audio_content"), Result),
        (call("test_embedded_resource"), Result),
        (call("test_multiple_content_types"), Text("Multiple content types test:")),
        (call("blob"), Result),
        (call("link"), Result),
        (call("annotated"), Text("for you")),
        (Step::call("add", json!({"a": 2, "b": 3})), Text(r#"{"sum":5}"#)),
        (Step::call("test_custom_header", json!({"value": "Grüße, \"Welt\" "})), Text("Grüße, \"Welt\" ")),
        (call("who"), Result),
        (call("health_check"), Result),
        (call("server_info"), Result),
        // Failures, and the server goes on.
        (call("test_error_handling"), Failure(&["This tool intentionally returns an error for testing"])),
        (Step::call("add", json!({"a": 2000, "b": 3})), Failure(&["a", "1000"])),
        (Step::call("add", json!({"a": 1, "b": 2, "c": 3})), Failure(&["c"])),
        (Step::call("add", json!({"a": "one", "b": 2})), Failure(&["a", "integer"])),
        (call("panic"), Failure(&["internal error", "error id"])),
        (call("defect"), Failure(&["internal error", "error id"])),
        (call("test_missing_capability"), Error(-32021)),
        (call("no_such_tool"), Error(-32602)),
        // What comes before an answer, or instead of it.
        (call("test_tool_with_progress").with_progress(), Text("finished")),
        (log("test_tool_with_logging", "info"), Text("logged")),
        (log("test_logging_tool", "error"), Text("logged")),
        (call("slow").cancelled_after(0.3), Cancelled),
        (call("abandoned"), if cancels { Text("1") } else { Result }),
    ];
    if wire == Wire::Stdio {
        // Wherever the client writes the id, it learns that this call was too long, and goes on.
        let long = "x".repeat(1024 * 1024);
        cases.push((Step::call("add", json!({"a": 1, "b": 2, "c": long})), Error(413)));
        cases.push((Step::call("add", json!({"a": 3, "b": 4})), Text(r#"{"sum":7}"#)));
    }
    cases
}

fn check(tool: &str, outcome: &Outcome, expected: &Expected) {
    let answer = outcome.answer();
    let is_expected = match expected {
        Expected::Text(text) => answer == Answer::Text(text),
        Expected::Failure(parts) => {
            matches!(answer, Answer::Failure(text) if parts.iter().all(|part| text.contains(part)))
        }
        Expected::Error(code) => answer == Answer::Error(*code),
        Expected::Cancelled => answer == Answer::Cancelled,
        Expected::Result => outcome.content.is_some() && !outcome.is_error,
    };
    assert!(is_expected, "{tool}: {outcome:?}");
    let everything = format!("{outcome:?}");
    assert!(!everything.contains("secret detail"), "{everything}");
}

fn outcome<'a>(plan: &Plan, report: &'a Report, tool: &str) -> &'a Outcome {
    let at = plan.calls.iter().position(|step| step.tool == tool).expect("a call of the plan");
    &report.calls[at]
}

fn check_identity(report: &Report, era: Era) {
    let server = report.server.as_ref().expect("the server says who it is");
    assert_eq!((server["name"].as_str(), server["version"].as_str()), (Some("fixture"), Some("1.2.3")));
    assert_eq!(report.instructions.as_deref(), Some("Try everything."));
    assert_eq!(report.tools.len(), TOOLS, "{:?}", report.tools);
    let add = report.tool("add").expect("a tool that was registered");
    assert_eq!(add["title"], "Addition");
    assert_eq!(add["description"], "Adds two numbers.");
    assert_eq!(add["annotations"]["readOnlyHint"], true);
    assert_eq!(add["inputSchema"]["properties"]["a"]["description"], "The first number.");
    assert_eq!(add["outputSchema"]["properties"]["sum"]["type"], "integer");
    assert_eq!(add["icons"][0]["src"], "data:image/png;base64,AAAA", "{era:?}");
}

fn browse() -> Browse {
    let template = json!({"type": "ref/resource", "uri": "test://template/{id}/data"});
    let prompt = json!({"type": "ref/prompt", "name": "test_prompt_with_arguments"});
    Browse {
        read: vec![
            "test://static-text",
            "test://static-binary",
            "test://template/123/data",
            "test://template/x/data",
            "test://broken",
        ],
        get: vec![
            ("test_simple_prompt", json!({})),
            ("test_prompt_with_arguments", json!({"arg1": "a", "arg2": "b"})),
            ("test_prompt_with_embedded_resource", json!({"resourceUri": "test://x"})),
            ("test_prompt_with_image", json!({})),
            ("test_prompt_with_arguments", json!({"arg1": "a"})),
            ("none", json!({})),
        ],
        complete: vec![(template, "id", "12"), (prompt, "arg1", "test")],
    }
}

fn check_browsed(browsed: &Browsed, era: Era) {
    let names = |list: &[Value]| -> Vec<_> { list.iter().map(|one| one["name"].clone()).collect() };
    assert_eq!(names(&browsed.resources), ["static-text", "static-binary", "watched-resource", "broken"]);
    assert_eq!(names(&browsed.templates), ["template"]);
    assert_eq!(browsed.prompts.len(), 5);
    let text = &browsed.resources[0];
    assert_eq!((&text["title"], &text["size"]), (&json!("Text"), &json!(48)), "{text}");
    assert_eq!(text["annotations"]["lastModified"], "2026-01-12T15:00:58Z");
    let arguments = &browsed.prompts[1]["arguments"];
    assert_eq!(arguments[0], json!({"name": "arg1", "description": "The first.", "required": true}));

    let contents = |at: usize| &browsed.read[at]["contents"][0];
    assert_eq!(contents(0)["text"], "This is the content of the static text resource.");
    assert!(contents(1)["blob"].as_str().is_some_and(|blob| blob.starts_with("iVBORw0KGgo")));
    assert!(contents(2)["text"].as_str().is_some_and(|text| text.contains("Data for ID: 123")));
    let code = |answer: &Value| answer["error"]["code"].as_i64();
    // One SDK tells older codes in the words of the latest revision.
    let not_found: &[_] = if era == Era::Modern { &[-32602] } else { &[-32002, -32602] };
    let told = code(&browsed.read[3]);
    assert!(told.is_some_and(|code| not_found.contains(&code)), "{:?}", browsed.read[3]);
    assert_eq!(code(&browsed.read[4]), Some(-32603));
    assert!(!format!("{browsed:?}").contains("secret detail"));

    let said = |at: usize, message: usize| &browsed.got[at]["messages"][message]["content"];
    assert_eq!(said(0, 0)["text"], "This is a simple prompt for testing.");
    assert_eq!(said(1, 0)["text"], "Prompt with arguments: arg1='a', arg2='b'");
    assert_eq!(said(2, 0)["resource"]["uri"], "test://x");
    assert_eq!(said(3, 0)["mimeType"], "image/png");
    assert_eq!((code(&browsed.got[4]), code(&browsed.got[5])), (Some(-32602), Some(-32602)));

    let suggested = |at: usize| &browsed.completed[at]["completion"]["values"];
    assert_eq!((suggested(0), suggested(1)), (&json!(["123", "124"]), &json!(["test1", "test2"])));
}

fn check_content(plan: &Plan, report: &Report) {
    let blocks = |tool| outcome(plan, report, tool).content.as_deref().unwrap_or_default();
    let image = &blocks("test_image_content")[0];
    assert_eq!((&image["type"], &image["mimeType"]), (&json!("image"), &json!("image/png")));
    assert!(image["data"].as_str().is_some_and(|data| data.starts_with("iVBORw0KGgo")));
    let audio = &blocks("test_audio_content")[0];
    assert_eq!((&audio["type"], &audio["mimeType"]), (&json!("audio"), &json!("audio/wav")));
    let resource = &blocks("test_embedded_resource")[0]["resource"];
    assert_eq!(resource["uri"], "test://embedded-resource");
    assert_eq!(resource["text"], "This is an embedded resource content.");
    assert_eq!(blocks("test_multiple_content_types").len(), 3);
    assert_eq!(blocks("blob")[0]["resource"]["blob"], "AP+A");
    assert_eq!(blocks("link")[0]["type"], "resource_link");
    assert_eq!(blocks("link")[0]["uri"], "file:///report.pdf");
    assert_eq!(blocks("annotated")[0]["annotations"], json!({"audience": ["user"], "priority": 0.5}));
    assert_eq!(outcome(plan, report, "add").structured, Some(json!({"sum": 5})));
}

fn check_notifications(plan: &Plan, report: &Report, era: Era) {
    let reported: Vec<_> = outcome(plan, report, "test_tool_with_progress")
        .progress
        .iter()
        .map(|step| (step["progress"].as_f64(), step["total"].as_f64(), step["message"].as_str()))
        .collect();
    let step = |done, message| (Some(done), Some(100.0), Some(message));
    assert_eq!(reported, [step(0.0, "begun"), step(50.0, "half"), step(100.0, "done")]);

    let logs = |tool| -> Vec<&Value> {
        outcome(plan, report, tool).logs.iter().map(|entry| &entry["data"]).collect()
    };
    // Clients of older revisions set a level once, which they do not here.
    let expected: &[&str] = match era {
        Era::Modern => &["Tool execution started", "Tool processing data", "Tool execution completed"],
        Era::Legacy => &[],
    };
    assert_eq!(logs("test_tool_with_logging"), expected);
    assert!(logs("test_logging_tool").is_empty());
}
