//! Headers that mirror arguments, with values that nobody wrote.
//!
//! A value is read as an independent reader of the rules has it, text comes back as it was, whichever of the two ways it is
//! written in, and a call passes where, and only where, its header says what its argument says.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tower_service::Service;
use towline_core::codec::{HeaderParams, decode_header_value};
use towline_core::{Error, ErrorKind, Request, Router, Server, tool_fn};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let place = tool_fn("place", "Answers.", async |arguments: Arguments| arguments.region);
    Server::new(Router::new("fuzz", "1.0.0").tool(place))
});

fuzz_target!(|input: (&str, &[u8])| {
    let (text, value) = input;
    let written = format!("=?base64?{}?=", BASE64.encode(text));
    let is_plain = text.bytes().all(is_visible) && !text.starts_with("=?base64?");
    for good in [Some(written.as_bytes()), is_plain.then_some(text.as_bytes())].into_iter().flatten() {
        assert_eq!(decode_header_value(good).expect("a good value"), text);
        call(text, &[good]).expect("the header says what the argument says");
    }

    // Hardly any value that nobody wrote has the marks.
    let marked = [b"=?base64?", value, b"?="].concat();
    for value in [value, &marked] {
        let read = decode_header_value(value);
        assert_eq!(read.as_deref().ok(), judge(value).as_deref());
        let passes = judge(value).as_deref() == Some(text);
        match call(text, &[value]) {
            Ok(()) => assert!(passes, "the header says something else"),
            Err(error) => assert!(!passes && error.kind() == ErrorKind::HeaderMismatch, "{error}"),
        }
        let twice = call(text, &[written.as_bytes(), value]).expect_err("the header stands there twice");
        assert_eq!(twice.kind(), ErrorKind::HeaderMismatch);
    }
    call(text, &[]).expect_err("the header is missing");
});

fn call(region: &str, headers: &[&[u8]]) -> Result<(), Error> {
    let params = json!({"name": "place", "arguments": {"region": region}});
    let mut request = Request::new("tools/call", &params).expect("a request");
    let mut sent = HeaderParams::default();
    for (header, name) in headers.iter().zip(["Region", "REGION"]) {
        sent.push(name, header);
    }
    request.context_mut().set_header_params(sent);
    SERVER.clone().call(request).now_or_never().expect("nothing waits").map(|_| ())
}

fn is_visible(byte: u8) -> bool {
    byte == b'\t' || (b' '..=b'~').contains(&byte)
}

/// What a value says, bit by bit.
fn judge(value: &[u8]) -> Option<String> {
    if !value.iter().copied().all(is_visible) {
        return None;
    }
    let Some(encoded) = value.strip_prefix(b"=?base64?").and_then(|rest| rest.strip_suffix(b"?=")) else {
        return String::from_utf8(value.to_vec()).ok();
    };
    let digits = encoded.strip_suffix(b"==").or_else(|| encoded.strip_suffix(b"=")).unwrap_or(encoded);
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in digits {
        let digit = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // Whole groups of four, no more padding than is needed, and nothing in the bits that are left over.
    let is_whole = encoded.len() % 4 == 0 && bits == 0 && count < 6;
    is_whole.then(|| String::from_utf8(bytes).ok()).flatten()
}
