//! Bytes in, bytes out: only `check` knows the API, the cases are data.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use tower::ServiceExt;
use towline_core::codec::{self, Agreed, Limits, Message};
use towline_core::protocol::ProtocolVersion;
use towline_core::{Context, Error, ErrorKind, Router, Server, ToolResult, tool_fn};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Echo {
    /// What to say.
    #[schemars(length(max = 20))]
    text: String,
}

fn server() -> Server {
    let echo = tool_fn("echo", "Says it again.", async |args: Echo| args.text);
    let fail = tool_fn("fail", "Fails.", async || {
        Err::<String, _>(Error::new(ErrorKind::Unavailable, "It is down."))
    });
    let internal = tool_fn("leak", "Leaks.", async || Err::<String, _>(Error::internal("password=hunter2")));
    let panics = tool_fn("panic", "Panics.", async || -> String { panic!("password=hunter2") });
    let refuses = tool_fn("refuse", "Refuses.", async || ToolResult::error("No such city."));
    let sample = tool_fn("sample", "Needs sampling.", async |_: Empty, context: Context| {
        if context.client_supports("sampling") {
            return Ok("yes");
        }
        Err(Error::missing_capability(&serde_json::json!({"sampling": {}})))
    });
    let router =
        Router::new("test", "1").tool(echo).tool(fail).tool(internal).tool(panics).tool(refuses).tool(sample);
    Server::new(router)
}

#[derive(Deserialize, JsonSchema)]
struct Empty {}

/// Sends bytes as a client on a stream would, after a handshake of that revision if there is one.
async fn send(body: &[u8], handshake: Option<ProtocolVersion>) -> String {
    send_to(server(), body, handshake).await
}

async fn send_to(server: Server, body: &[u8], handshake: Option<ProtocolVersion>) -> String {
    let bytes = Bytes::copy_from_slice(body);
    let (id, mut request) = match codec::decode(bytes, &Limits::default()) {
        Ok(Message::Request(id, request)) => (id, request),
        Ok(_) => return String::new(),
        Err(refused) => {
            let answer = codec::encode(refused.id.as_ref(), &Err(refused.error), ProtocolVersion::LATEST);
            return String::from_utf8(answer.to_vec()).unwrap();
        }
    };
    let answer = match codec::negotiate(&mut request, Agreed::Handshake(handshake)) {
        Ok(()) => {
            let version = request.context().version();
            let answer = server.oneshot(request).await;
            codec::encode(Some(&id), &answer, version)
        }
        Err(error) => codec::encode(Some(&id), &Err(error), ProtocolVersion::LATEST),
    };
    String::from_utf8(answer.to_vec()).unwrap()
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
const SERVER: &str = r#""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"test","version":"1"}}"#;

async fn check(body: &str, expected: &str) {
    let body = body.replace("META", META);
    let expected = expected.replace("SERVER", SERVER);
    assert_eq!(send(body.as_bytes(), None).await, expected, "{body}");
}

async fn check_refused(body: &[u8], expected: &str) {
    let answer = send(body, None).await;
    assert!(answer.contains(expected), "{} gave {answer}", String::from_utf8_lossy(body));
}

#[tokio::test]
async fn a_call_is_answered_with_its_id() {
    check(
        r#"{"jsonrpc":"2.0","id":"a\u0062","method":"tools/call","params":{"name":"echo","arguments":{"text":"h\"i"},META}}"#,
        r#"{"jsonrpc":"2.0","id":"ab","result":{"resultType":"complete","content":[{"type":"text","text":"h\"i"}],SERVER}}"#,
    )
    .await;
    check(
        r#"{"params":{META,"arguments":{"text":""},"name":"echo"},"method":"tools/call","id":18446744073709551615,"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","id":18446744073709551615,"result":{"resultType":"complete","content":[{"type":"text","text":""}],SERVER}}"#,
    )
    .await;
}

#[tokio::test]
async fn a_notification_has_no_answer() {
    check(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, "").await;
    check(
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo","arguments":{"text":"x"},META}}"#,
        "",
    )
    .await;
}

#[tokio::test]
async fn bad_arguments_are_the_model_s_to_mend() {
    check(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"txt":"x"},META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"Invalid arguments: unknown argument `txt`; allowed: `text`; `text` is required."}],"isError":true,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"test","version":"1"},"dev.towline/error":{"kind":"invalid_params"}}}}"#,
    )
    .await;
    let long = "x".repeat(21);
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{long}"}},{META}}}}}"#
    );
    check_refused(body.as_bytes(), "`text` may have at most 20 characters").await;
}

#[tokio::test]
async fn what_fails_in_a_tool_is_a_result() {
    let call = |name: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}",{META}}}}}"#)
    };
    check_refused(call("fail").as_bytes(), r#""text":"It is down."}],"isError":true"#).await;
    check_refused(call("refuse").as_bytes(), r#""text":"No such city."}],"isError":true"#).await;
    for name in ["leak", "panic"] {
        let answer = send(call(name).as_bytes(), None).await;
        assert!(
            answer.contains("internal error (error id ") && answer.contains(r#""isError":true"#),
            "{answer}"
        );
        assert!(!answer.contains("hunter2"), "{answer}");
    }
}

#[tokio::test]
async fn a_missing_capability_is_an_error_of_the_protocol() {
    check(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sample",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32021,"message":"the client lacks a required capability","data":{"requiredCapabilities":{"sampling":{}}}}}"#,
    )
    .await;
}

#[tokio::test]
async fn a_tool_is_named_by_its_name_alone() {
    for params in
        [r#""name":"echo","uri":"fail","taskId":"fail""#, r#""uri":"fail","taskId":"fail","name":"echo""#]
    {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{params},"arguments":{{"text":"hi"}},{META}}}}}"#
        );
        check_refused(body.as_bytes(), r#""text":"hi""#).await;
    }
    for params in
        [r#""uri":"echo""#, r#""taskId":"echo""#, r#""name":{"x":1},"uri":"echo""#, r#""name":null"#]
    {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{params},{META}}}}}"#);
        check_refused(body.as_bytes(), "`name` is missing").await;
    }
}

#[tokio::test]
async fn unknown_names_are_errors_of_the_protocol() {
    check(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nope",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"unknown tool: nope"}}"#,
    )
    .await;
    for method in ["nope", "initialize", "ping", "resources/list", ""] {
        check(
            &format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{META}}}}"#),
            &format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32601,"message":"method not found: {method}"}}}}"#),
        )
        .await;
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    for (body, expected) in [
        (&b""[..], r#""code":-32700"#),
        (b"{", r#""code":-32700"#),
        (b"\xff", r#""error":{"code":-32700,"message":"not UTF-8"}"#),
        (b"\xef\xbb\xbf{}", r#""code":-32700"#),
        (b"{} {}", r#""code":-32700"#),
        (br#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#, r#""id":1,"error":{"code":-32700"#),
        (b"[]", "this revision has no batches"),
        (br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, r#"{"jsonrpc":"2.0","error":{"code":-32600"#),
        (b"7", r#""code":-32600"#),
        (br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, r#""id":1,"error":{"code":-32600"#),
        (br#"{"id":1,"method":"ping"}"#, r#""code":-32600"#),
        (br#"{"jsonrpc":"2.0","id":1}"#, "`method` is missing"),
        (br#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#, "`method` is missing"),
        (br#"{"jsonrpc":"2.0","id":1,"method\u0000":"ping"}"#, "`method` is missing"),
        (br#"{"jsonrpc":"2.0","id":1,"method":7}"#, "`method` must be a string"),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, "`params` must be an object"),
        (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, r#"{"jsonrpc":"2.0","error":{"code":-32600"#),
        (br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, "`id` must be a string or an integer"),
        (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, "`id` must be a string or an integer"),
        (br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, r#"{"jsonrpc":"2.0","error":{"code":-32600"#),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b","id":2}"#,
            r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"the key \"method\" stands"#,
        ),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":{"b":1,"\u0062":2}}}"#, "stands twice"),
    ] {
        check_refused(body, expected).await;
    }
}

#[tokio::test]
async fn deep_wide_and_long_messages_are_refused_before_anything_is_built() {
    let wrap = |inner: String| format!(r#"{{"jsonrpc":"2.0","id":9,"method":"x","params":{{"a":{inner}}}}}"#);
    for inner in [
        format!("{}{}", "[".repeat(100), "]".repeat(100)),
        format!("[{}0]", "0,".repeat(20_000)),
        format!("\"{}\"", "x".repeat(300 * 1024)),
        format!("{{{}\"z\":0}}", (0..2000).map(|n| format!("\"{n}\":0,")).collect::<String>()),
    ] {
        check_refused(
            wrap(inner).as_bytes(),
            r#""id":9,"error":{"code":-32600,"message":"the message has more than"#,
        )
        .await;
    }
    // However deep, the stack holds.
    check_refused("[".repeat(1_000_000).as_bytes(), "-32600").await;
    check_refused(r#"{"a":"#.repeat(1_000_000).as_bytes(), "-32600").await;
}

#[tokio::test]
async fn a_modern_request_carries_its_metadata() {
    check(
        r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"capabilities":{"tools":{},"logging":{}},"ttlMs":300000,"cacheScope":"public",SERVER}}"#,
    )
    .await;
    for (params, expected) in [
        ("", r#""code":-32602"#),
        (r#","params":{}"#, "lacks `io.modelcontextprotocol/protocolVersion`"),
        (r#","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#, r#""code":-32602"#),
        (
            r#","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#,
            "lacks `io.modelcontextprotocol/clientCapabilities`",
        ),
        (
            r#","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"1900-01-01","io.modelcontextprotocol/clientCapabilities":{}}}"#,
            r#""code":-32022,"message":"unsupported protocol version","data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"1900-01-01"}"#,
        ),
        (
            r#","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/logLevel":"loud"}}"#,
            "logLevel` must be one of",
        ),
        (
            r#","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":1.5}}"#,
            "`progressToken` must be",
        ),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover"{params}}}"#);
        check_refused(body.as_bytes(), expected).await;
    }
}

#[tokio::test]
async fn older_clients_shake_hands_first() {
    for (asked, offered) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1900-01-01", "2025-11-25"),
    ] {
        check(
            &format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"{asked}","capabilities":{{}},"clientInfo":{{"name":"c","version":"1"}}}}}}"#
            ),
            &format!(
                r#"{{"jsonrpc":"2.0","id":1,"result":{{"protocolVersion":"{offered}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"test","version":"1"}}}}}}"#
            ),
        )
        .await;
    }
    check(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await;
    let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}"#;
    assert_eq!(
        send(call, Some(ProtocolVersion::V2024_11_05)).await,
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x"}]}}"#
    );
}

#[tokio::test]
async fn an_extension_is_told_to_those_who_know_of_extensions() {
    let settings = serde_json::json!({"directoryRead": true}).as_object().unwrap().clone();
    let server = Server::new(Router::new("test", "1").extension("com.example/folders", settings));
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let answer = send_to(server.clone(), body, None).await;
    assert!(answer.contains(r#""extensions":{"com.example/folders":{"directoryRead":true}}"#), "{answer}");
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
    let answer = send_to(server, body, None).await;
    assert!(!answer.contains("extensions"), "{answer}");
}

#[test]
fn a_request_that_is_too_long_is_known_by_its_beginning_or_its_end() {
    let id =
        |beginning: &[u8], end: &[u8]| codec::id_of_cut(beginning, end).map(|id| id.as_json().to_owned());
    let check = |beginning: &str, end: &str, expected: Option<&str>| {
        let found = id(beginning.as_bytes(), end.as_bytes());
        assert_eq!(found.as_deref(), expected, "{beginning} .. {end}");
    };
    check(r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"ec"#, "", Some("\"a\""));
    check(r#"{"method":"tools/call","id":12,"params":{"#, "", Some("12"));
    // A number may go on after the cut, and an answer has the id of another's request.
    check(r#"{"method":"tools/call","id":12"#, "", None);
    check(r#"{"jsonrpc":"2.0","id":12,"result":{"text":"xx"#, "", None);
    check(r#"{"jsonrpc":"2.0","params":{"id":12,"method":"x"},"#, "", None);
    check(r#"[{"jsonrpc":"2.0","id":12,"method":"x"},"#, "", None);
    check(r#"{"method":"tools/call","id":1,"id":2,"params":{"#, "", None);
    check("", "", None);
    let cut = [br#"{"id":1,"method":"x","params":""#.as_slice(), b"\xe2\x82"].concat();
    assert_eq!(id(&cut, b"").as_deref(), Some("1"));

    let of_end = |end: &str, expected| check(r#"{"method":"tools/call","params":{"name":"ec"#, end, expected);
    of_end(r#"xx"},"jsonrpc":"2.0","id":12}"#, Some("12"));
    of_end("xx\"},\"jsonrpc\":\"2.0\" , \"id\" : -3 } \r", Some("-3"));
    of_end(r#"xx"}, "id":"call-7"}"#, Some("\"call-7\""));
    // Of an inner object, within a string, of another member, no id, and cut.
    of_end(r#"xx","id":12}}"#, None);
    of_end(r#"xx,\"id\":12}"}"#, None);
    of_end(r#"xx,\"id":12}"#, None);
    of_end(r#"xx"},"jsonrpc":"2.0","_id":12}"#, None);
    of_end(r#"xx"},"jsonrpc":"2.0","id":null}"#, None);
    of_end(r#"xx"},"id":007}"#, None);
    of_end(r#"xx"},"id":1.5}"#, None);
    of_end(r#"xx"},"id":"a\"b"}"#, None);
    for end in ["", "}", "12}", ":12}", "\"id\":12}", "\"}", "\"\"}"] {
        of_end(end, None);
    }
    check(r#"{"params":{"name":"ec"#, r#"xx"},"method":"x","id":12}"#, None);
}
