//! State that comes back from a client, changed in ways that nobody thought of.
//!
//! A tool never sees state that was not sealed for the very request, and nothing of it that a client sends makes the server
//! panic.
#![no_main]

use std::sync::LazyLock;

use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tower_service::Service;
use towline_core::codec::{self, Agreed, Limits, Message};
use towline_core::protocol::{ProtocolVersion, RequestId};
use towline_core::{Error, Input, Principal, Router, Server, StateKey, StateSeal, ToolResult, tool_fn};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    #[serde(rename = "amount")]
    _amount: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Confirm {
    #[serde(rename = "sure")]
    _sure: bool,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let key = |secret| StateKey::from_secret(secret).expect("it is long enough");
    let seal = StateSeal::new(key("0123456789abcdef0123456789abcdef"))
        .accept(key("0123456789abcdef0123456789abcdeg"));
    let mut router = Router::new("fuzz", "1.0.0").state_seal(seal);
    for name in ["pay", "refund"] {
        let run = move |_: Arguments, input: Input| async move { ask_first(name, input) };
        router = router.tool(tool_fn(name, "Asks first.", run));
    }
    Server::new(router)
});

fn ask_first(tool: &str, mut input: Input) -> Result<ToolResult, Error> {
    if input.state::<Value>().is_some() {
        return Ok(ToolResult::text(ACCEPTED));
    }
    input.set_state(&"sealed");
    if tool == "refund" {
        input.single_use();
    }
    let _ = input.elicit::<Confirm>("confirm", "Sure?");
    input.ask()
}

/// What a tool answers that has seen state.
const ACCEPTED: &str = "accepted";

/// A request as a client may send it.
#[derive(Clone, Copy, PartialEq)]
struct Call {
    tool: &'static str,
    amount: u64,
    caller: Option<&'static str>,
}

const CALLS: [Call; 5] = [
    Call { tool: "pay", amount: 1, caller: Some("alice") },
    Call { tool: "pay", amount: 2, caller: Some("alice") },
    Call { tool: "refund", amount: 1, caller: Some("alice") },
    Call { tool: "pay", amount: 1, caller: Some("bob") },
    Call { tool: "pay", amount: 1, caller: None },
];

/// Good states, one for each call.
static STATES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let state = |call: &Call| {
        let answer = send(*call, None, None).expect("it asks");
        answer["result"]["requestState"].as_str().expect("a state").to_owned()
    };
    let states: Vec<_> = CALLS.iter().map(state).collect();
    // Whoever sends them back unchanged goes on, or this would show nothing.
    for (call, state) in CALLS.iter().zip(&states) {
        let answer = send(*call, Some(&json!(state).to_string()), None).expect("its own");
        assert!(answer.to_string().contains(ACCEPTED), "{answer}");
    }
    states
});

fuzz_target!(|input: (u8, u8, Vec<(u16, u8)>, u16, &[u8], &str)| {
    let (of, to, changes, cut, raw, responses) = input;
    let (of, to) = (usize::from(of) % CALLS.len(), usize::from(to) % CALLS.len());
    let responses = serde_json::from_str::<&RawValue>(responses).ok().map(RawValue::get);

    // A good state that some bytes of are others, or that has lost its end.
    let good = &STATES[of];
    let mut state = good.clone().into_bytes();
    for (at, byte) in changes {
        let at = usize::from(at) % state.len();
        state[at] = byte;
    }
    state.truncate(if cut == 0 { state.len() } else { usize::from(cut) % (state.len() + 1) });
    let state = String::from_utf8_lossy(&state);
    // One that serves once has served already.
    let is_its_own = of == to && *state == **good && CALLS[of].tool != "refund";
    let answer = send(CALLS[to], Some(&json!(state).to_string()), responses);
    match answer {
        Ok(answer) => assert!(is_its_own, "{answer}"),
        Err(error) => assert!(!is_its_own || responses.is_some(), "{error}"),
    }

    // Anything at all.
    let text = json!(String::from_utf8_lossy(raw)).to_string();
    send(CALLS[to], Some(&text), responses).expect_err("a state that nobody sealed");
    let json = std::str::from_utf8(raw).ok().and_then(|raw| serde_json::from_str::<&RawValue>(raw).ok());
    let answer = send(CALLS[to], json.map(RawValue::get), responses);
    assert!(!answer.is_ok_and(|answer| answer.to_string().contains(ACCEPTED)), "a state that is no text");
});

/// Sends a request with members of its parameters as they are. Gives the answer.
fn send(call: Call, state: Option<&str>, responses: Option<&str>) -> Result<Value, Error> {
    let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}"#;
    let state = state.map(|state| format!(r#","requestState":{state}"#)).unwrap_or_default();
    let responses = responses.map(|given| format!(r#","inputResponses":{given}"#)).unwrap_or_default();
    let Call { tool, amount, caller } = call;
    let message = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"_meta":{meta},"name":"{tool}","arguments":{{"amount":{amount}}}{state}{responses}}}}}"#
    );
    let mut request = match codec::decode(message.into(), &Limits::default()) {
        Ok(Message::Request(_, request)) => request,
        Ok(other) => panic!("{other:?}"),
        // It may be nested too deep.
        Err(refused) => return Err(refused.error),
    };
    codec::negotiate(&mut request, Agreed::Handshake(None))?;
    if let Some(caller) = caller {
        request.context_mut().extensions_mut().insert(Principal::new(caller));
    }
    let answer = SERVER.clone().call(request).now_or_never().expect("nothing waits")?;
    let answer = codec::encode(Some(&RequestId::from(1)), &Ok(answer), ProtocolVersion::LATEST);
    Ok(serde_json::from_slice(&answer).expect("an answer is JSON"))
}
