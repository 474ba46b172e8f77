//! Every official SDK, and FastMCP, answers what a server asks, hears what changes and sets a log level, in both eras, over
//! both wires.

use std::path::Path;

use serde_json::json;
use towline_end_to_end::{Answers, Browse, Client, Conversation, Era, Plan, Schemas, Setup, Step, Wire};

const WATCHED: &str = "test://watched-resource";

macro_rules! tests {
    ($($name:ident: $client:ident $era:ident $wire:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                answer_and_hear(Client::$client, Era::$era, Wire::$wire).await;
            }
        )*
    };
}

tests! {
    rmcp_over_stdio: Rmcp Modern Stdio;
    rmcp_over_http: Rmcp Modern Http;
    rmcp_over_stdio_with_a_handshake: Rmcp Legacy Stdio;
    rmcp_over_http_with_a_session: Rmcp Legacy Http;
    python_over_stdio: Python Modern Stdio;
    python_over_http: Python Modern Http;
    python_over_stdio_with_a_handshake: Python Legacy Stdio;
    python_over_http_with_a_session: Python Legacy Http;
    python_v1_over_stdio: PythonV1 Legacy Stdio;
    python_v1_over_http: PythonV1 Legacy Http;
    fastmcp_over_stdio: FastMcp Modern Stdio;
    fastmcp_over_http: FastMcp Modern Http;
    fastmcp_over_stdio_with_a_handshake: FastMcp Legacy Stdio;
    fastmcp_over_http_with_a_session: FastMcp Legacy Http;
    typescript_over_stdio: TypeScript Modern Stdio;
    typescript_over_http: TypeScript Modern Http;
    typescript_over_stdio_with_a_handshake: TypeScript Legacy Stdio;
    typescript_over_http_with_a_session: TypeScript Legacy Http;
    typescript_v1_over_stdio: TypeScriptV1 Legacy Stdio;
    typescript_v1_over_http: TypeScriptV1 Legacy Http;
}

/// Forms came with revision 2025-06-18; the rest is in all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_revisions_are_asked_and_told_too() {
    for (wire, revision) in [
        (Wire::Stdio, "2025-06-18"),
        (Wire::Http, "2025-06-18"),
        (Wire::Stdio, "2025-03-26"),
        (Wire::Http, "2025-03-26"),
        (Wire::Stdio, "2024-11-05"),
    ] {
        let setup = set_up(wire).await;
        let forms = ["test_input_required_result_multi_round", "test_elicitation_sep1034_defaults"];
        let calls = [
            Step::call("test_sampling", json!({"prompt": "Hi?"})),
            Step::call("test_input_required_result_list_roots", json!({})),
            Step::call("test_trigger_tool_change", json!({})).hearing(1),
            Step::call("test_trigger_resource_update", json!({})).hearing(1),
            Step::call("test_tool_with_logging", json!({})),
        ];
        let forms = forms.into_iter().filter(|_| revision >= "2025-06-18");
        let calls = calls.into_iter().chain(forms.map(|tool| Step::call(tool, json!({})))).collect();
        let plan = Plan { revision: Some(revision), ..plan(Era::Legacy, &setup, calls) };
        let report = Client::Rmcp.carry_out(&plan).await;

        let agreed = setup.conversations().iter().find_map(Conversation::agreed);
        assert_eq!(agreed.as_deref(), Some(revision));
        let said: Vec<_> = report.calls.iter().filter_map(|outcome| outcome.text()).collect();
        assert_eq!(said[..2], ["LLM response: Hello", "The client's roots: file:///work"], "{revision}");
        assert_eq!(report.calls[2].changed, ["notifications/tools/list_changed"]);
        assert_eq!(report.calls[3].changed.len(), 1);
        assert_eq!(report.calls[4].logs.len(), 3);
        assert!(report.calls[5..].iter().all(|outcome| !outcome.is_error && outcome.error.is_none()));
        // The conformance suite has no schema of the first revision.
        if revision > "2024-11-05" {
            Schemas::load().await.check(&setup.conversations());
        }
    }
}

/// A call, the beginning of its answer, what is asked meanwhile and what is told.
struct Case {
    step: Step,
    text: &'static str,
    asked: &'static [&'static str],
    changed: &'static [&'static str],
}

const FORM: &str = "elicitation/create";
const MODEL: &str = "sampling/createMessage";
const ROOTS: &str = "roots/list";

fn cases(era: Era) -> Vec<Case> {
    let call = |tool| Step::call(tool, json!({}));
    let asking = |step, text, asked| Case { step, text, asked, changed: &[] };
    let changing = |tool, changed| Case { step: call(tool).hearing(1), text: "told", asked: &[], changed };
    let log = call("test_tool_with_logging");
    let log = if era == Era::Modern { log.with_log("info") } else { log };
    vec![
        asking(Step::call("test_sampling", json!({"prompt": "Hi?"})), "LLM response: Hello", &[MODEL]),
        asking(
            Step::call("test_elicitation", json!({"message": "Who?"})),
            "User response: action=accept, content={",
            &[FORM],
        ),
        asking(call("test_elicitation_sep1034_defaults"), "Elicitation completed: action=accept", &[FORM]),
        asking(call("test_elicitation_sep1330_enums"), "Elicitation completed: action=accept", &[FORM]),
        asking(call("test_streaming_elicitation"), "Elicitation completed: action=accept", &[FORM]),
        asking(call("test_input_required_result_elicitation"), "Hello, Ada!", &[FORM]),
        asking(call("test_input_required_result_sampling"), "Hello", &[MODEL]),
        asking(call("test_input_required_result_list_roots"), "The client's roots: file:///work", &[ROOTS]),
        asking(call("test_input_required_result_request_state"), "state-ok, confirmed: true", &[FORM]),
        asking(
            call("test_input_required_result_multiple_inputs"),
            "Hello, Ada! There are 1 roots.",
            &[FORM, ROOTS, MODEL],
        ),
        asking(call("test_input_required_result_multi_round"), "Ada likes red.", &[FORM, FORM]),
        asking(call("test_input_required_result_capabilities"), "Hello, Ada", &[FORM, MODEL]),
        asking(call("test_missing_capability"), "sampling is there", &[]),
        changing("test_trigger_tool_change", &["notifications/tools/list_changed"]),
        changing("test_trigger_prompt_change", &["notifications/prompts/list_changed"]),
        changing(
            "test_trigger_resource_update",
            &["notifications/resources/updated test://watched-resource"],
        ),
        asking(log, "logged", &[]),
        asking(call("test_reconnection"), "Reconnection test completed", &[]),
    ]
}

async fn set_up(wire: Wire) -> Setup {
    let (tap, fixture) = (env!("CARGO_BIN_EXE_tap"), env!("CARGO_BIN_EXE_fixture"));
    Setup::new(wire, Path::new(tap), Path::new(fixture), &["--changing"]).await
}

/// The calls of a client that answers and hears everything.
fn plan(era: Era, setup: &Setup, calls: Vec<Step>) -> Plan {
    let form = json!({
        "name": "Ada", "color": "red", "ok": true, "context": "of a test",
        "username": "ada", "email": "ada@example.com",
    });
    Plan {
        answers: Some(Answers { form, text: "Hello", root: "file:///work" }),
        watch: Some(WATCHED),
        level: Some("info"),
        ..Plan::new(era, setup.target(), calls)
    }
}

async fn answer_and_hear(client: Client, era: Era, wire: Wire) {
    let setup = set_up(wire).await;
    let cases = cases(era);
    let calls = cases.iter().map(|case| case.step.clone()).collect();
    let browse = Browse { get: vec![("test_input_required_result_prompt", json!({}))], ..Browse::default() };
    let plan = Plan { browse: Some(browse), ..plan(era, &setup, calls) };
    let report = client.carry_out(&plan).await;

    let prompt = &report.browsed.expect("the client has looked around").got[0];
    assert_eq!(prompt["messages"][0]["content"]["text"], "The context is of a test.", "{prompt}");
    for (Case { step, text, asked, changed }, outcome) in cases.iter().zip(&report.calls) {
        let said = outcome.text().unwrap_or_default();
        assert!(!outcome.is_error && said.starts_with(text), "{}: {outcome:?}", step.tool);
        // What is asked at once may be answered in any order.
        let mut were_asked = outcome.asked.clone();
        were_asked.sort_unstable();
        assert_eq!(were_asked, *asked, "{}", step.tool);
        assert_eq!(outcome.changed, *changed, "{}", step.tool);
    }
    let at = cases.iter().position(|case| case.step.tool == "test_tool_with_logging").expect("a case");
    let logs: Vec<_> = report.calls[at].logs.iter().map(|entry| &entry["data"]).collect();
    assert_eq!(logs, ["Tool execution started", "Tool processing data", "Tool execution completed"]);

    let conversations = setup.conversations();
    let messages = Schemas::load().await.check(&conversations);
    assert!(messages > plan.calls.len() + 2, "{messages} messages");
    check_wire(era, wire, &conversations);
}

/// Clients of older revisions are asked by requests, and may come back for an answer; the others find in results what is
/// asked.
fn check_wire(era: Era, wire: Wire, conversations: &[Conversation]) {
    let count = |talks: &[&Conversation], part: &str| {
        talks.iter().flat_map(|talk| &talk.server).filter(|text| text.contains(part)).count()
    };
    let all: Vec<_> = conversations.iter().collect();
    let requests = count(&all, r#""method":"elicitation/create","params""#);
    let results = count(&all, r#""resultType":"input_required""#);
    match era {
        Era::Modern => assert!(results > 10, "{results}"),
        Era::Legacy => assert!(requests > 8 && results == 0, "{requests} {results}"),
    }
    let came_back: Vec<_> = all.into_iter().filter(|talk| talk.client.is_empty()).collect();
    let is_expected = (era, wire) == (Era::Legacy, Wire::Http);
    assert_eq!(count(&came_back, "Reconnection test completed"), usize::from(is_expected));
}
