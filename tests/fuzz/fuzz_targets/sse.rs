//! The writer of server-sent events on messages that nobody wrote.
//!
//! A reader that goes by the rules for event streams finds each message as one event, on one line, with the same bytes but
//! for line breaks, which stand as spaces. Of JSON, that is the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

// The writer is nothing that the crate offers, so its source is compiled in here.
#[path = "../../../crates/transport/src/http/event.rs"]
mod event;
#[path = "../../../crates/transport/src/line.rs"]
mod line;

fuzz_target!(|input: (u64, u32, &[u8], Vec<String>)| {
    let (stream, number, bytes, texts) = input;
    let number = u64::from(number);
    let value = json!({"jsonrpc": "2.0", "id": number, "result": {"content": texts, "": [{}, []]}});
    let pretty = serde_json::to_string_pretty(&value).expect("a value is JSON");
    let messages = [bytes.to_vec(), pretty.clone().into(), pretty.replace('\n', "\r\n").into(), b"{}".into()];

    let mut stream_of = Vec::new();
    for (message, number) in messages.iter().zip(number..) {
        event::push_numbered(&mut stream_of, stream, number, message);
        event::push_event(&mut stream_of, message);
    }
    let events = read(&stream_of);
    assert_eq!(events.len(), 2 * messages.len());
    for ((message, pair), number) in messages.iter().zip(events.chunks(2)).zip(number..) {
        let expected: Vec<u8> =
            message.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte }).collect();
        for event in pair {
            assert_eq!((&event.kind[..], &event.data), (&b"message"[..], &expected));
            // The id stays until there is another.
            assert_eq!(event.id, format!("{stream}_{number}").into_bytes());
        }
        if let Ok(value) = serde_json::from_slice::<Value>(message) {
            assert_eq!(serde_json::from_slice::<Value>(&pair[0].data).expect("it was JSON"), value);
        }
    }
});

/// An event that a reader dispatches.
struct Event {
    kind: Vec<u8>,
    id: Vec<u8>,
    data: Vec<u8>,
}

/// Reads a stream as the HTML standard has it, "Interpreting an event stream".
fn read(stream: &[u8]) -> Vec<Event> {
    let (mut events, mut kind, mut id, mut data) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for line in lines(stream) {
        if line.is_empty() {
            if data.pop().is_some() {
                events.push(Event { kind: kind.clone(), id: id.clone(), data: data.clone() });
            }
            (kind, data) = (Vec::new(), Vec::new());
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"event" => kind = value.to_vec(),
            b"data" => data.extend(value.iter().chain(b"\n")),
            b"id" => id = value.to_vec(),
            _ => {}
        }
    }
    events
}

/// Lines end with CR LF, LF or CR. One that does not end is none.
fn lines(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    while let Some(end) = stream.iter().position(|byte| b"\r\n".contains(byte)) {
        lines.push(&stream[..end]);
        let next = if stream[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 };
        stream = &stream[next..];
    }
    lines
}
