//! Messages that no client sends, written by hand.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Split};
use tokio::time::timeout;

use crate::failure::Failure;
use crate::leak;
use crate::link::{Program, open_streams};
use crate::target::{Kind, Reader, Target, Writer};

/// What is read of an answer over HTTP.
const READ: usize = 256 * 1024;
const LOST: &str = "the server ended the connection";

/// A message that a server must live through.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) name: &'static str,
    bytes: Vec<u8>,
}

pub(crate) fn frames(oversize: usize) -> Vec<Frame> {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    let call = |arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"x","arguments":{arguments}}}}}"#
        )
    };
    let texts: Vec<(&'static str, String)> = vec![
        ("no JSON", "hello, server".into()),
        ("JSON that breaks off", r#"{"jsonrpc":"2.0","id":7,"method":"tools/"#.into()),
        ("a number", "42".into()),
        ("null", "null".into()),
        ("an empty list", "[]".into()),
        ("no version", r#"{"id":7,"method":"tools/list"}"#.into()),
        ("another version", r#"{"jsonrpc":"1.0","id":7,"method":"tools/list"}"#.into()),
        ("no method", r#"{"jsonrpc":"2.0","id":7}"#.into()),
        ("a method that is a number", r#"{"jsonrpc":"2.0","id":7,"method":7}"#.into()),
        ("a method that does not exist", r#"{"jsonrpc":"2.0","id":7,"method":"towline/nothing"}"#.into()),
        (
            "parameters that are a list",
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[1]}"#.into(),
        ),
        ("parameters that are text", r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":"x"}"#.into()),
        ("an id that is null", r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#.into()),
        ("an id that is an object", r#"{"jsonrpc":"2.0","id":{"a":1},"method":"tools/list"}"#.into()),
        ("an id that is huge", r#"{"jsonrpc":"2.0","id":1e999,"method":"tools/list"}"#.into()),
        ("an answer that nobody asked for", r#"{"jsonrpc":"2.0","id":"nobody","result":{}}"#.into()),
        ("arguments that are a list", call("[1,2,3]")),
        ("a key twice", call(r#"{"a":1,"a":2}"#)),
        ("half of a surrogate pair", call(r#"{"a":"\ud800"}"#)),
        ("a NUL", call("{\"a\":\"\\u0000\"}")),
        ("nested a hundred thousand deep", call(&nested(100_000))),
        ("oversized", call(&format!("{{\"a\":\"{}\"}}", "A".repeat(oversize)))),
    ];
    let mut frames: Vec<_> =
        texts.into_iter().map(|(name, text)| Frame { name, bytes: text.into_bytes() }).collect();
    frames.push(Frame {
        name: "bytes that are no UTF-8",
        bytes: b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xff\xfe\"}".to_vec(),
    });
    frames.push(Frame { name: "a raw NUL", bytes: b"\0\0\0\0".to_vec() });
    frames
}

/// Sends messages by hand, and sees after each whether the server lives through it.
pub(crate) struct Sender<'a> {
    target: &'a Target,
    patience: Duration,
    /// Kept from one message to the next, as long as the server answers: some take seconds to start.
    open: Option<Wire>,
    sent: usize,
}

impl<'a> Sender<'a> {
    pub(crate) fn new(target: &'a Target, patience: Duration) -> Self {
        Self { target, patience, open: None, sent: 0 }
    }

    pub(crate) async fn send(&mut self, frame: &Frame) -> Result<(), Failure> {
        let mut said = String::new();
        let sent = match &self.target.0 {
            Kind::Url { .. } => post(self.target, frame, self.patience, &mut said).await,
            Kind::Process { .. } | Kind::Streams(_) => self.write(frame, &mut said).await,
        };
        let judged = sent.and_then(|()| match leak::has_trace(&said.replace("\\n", "\n")) {
            true => Err("the answer shows a stack trace".to_owned()),
            false => Ok(()),
        });
        judged.map_err(|reason| Failure::of_frame(reason, &frame.bytes, &said))
    }

    async fn write(&mut self, frame: &Frame, said: &mut String) -> Result<(), String> {
        self.sent += 1;
        let alive = format!("towline-alive-{}", self.sent);
        let question = json!({"jsonrpc": "2.0", "id": alive, "method": "tools/list"});
        let mut wire = match self.open.take() {
            Some(wire) => wire,
            // A program may take its time to start.
            None => Wire::open(self.target, self.patience + Duration::from_secs(10)).await?,
        };
        let conversation = async {
            wire.write(&frame.bytes).await?;
            wire.write(b"\n").await?;
            wire.write(format!("{question}\n").as_bytes()).await?;
            wire.read_until(&alive, said).await
        };
        let outcome = match timeout(self.patience, conversation).await {
            Ok(outcome) => outcome,
            Err(_) => Err("the server answers nothing any more".into()),
        };
        match (outcome, &wire.program) {
            (Ok(()), _) => {
                self.open = Some(wire);
                Ok(())
            }
            (Err(reason), Some(program)) => Err(program.why(&reason).await),
            (Err(reason), None) => Err(reason),
        }
    }
}

/// A connection with a handshake.
struct Wire {
    lines: Split<BufReader<Reader>>,
    writer: Writer,
    program: Option<Program>,
}

impl Wire {
    async fn open(target: &Target, patience: Duration) -> Result<Self, String> {
        let (reader, writer, program) = open_streams(target)?;
        let mut wire = Self { lines: BufReader::new(reader).split(b'\n'), writer, program };
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let shaking = async {
            wire.write(format!("{}\n", handshake()).as_bytes()).await?;
            wire.read_until("towline-hello", &mut String::new()).await?;
            wire.write(format!("{initialized}\n").as_bytes()).await
        };
        let shaken = timeout(patience, shaking).await;
        shaken.map_err(|_| "the server does not answer a handshake".to_owned())??;
        Ok(wire)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.writer.write_all(bytes).await.map_err(|_| LOST.to_owned())
    }

    /// Reads up to the answer with that id; what comes before is added to what was said.
    async fn read_until(&mut self, id: &str, said: &mut String) -> Result<(), String> {
        loop {
            let line = self.lines.next_segment().await.ok().flatten().ok_or(LOST)?;
            let message: Value = serde_json::from_slice(&line).unwrap_or_default();
            if message["id"] == id {
                return Ok(());
            }
            said.push_str(&String::from_utf8_lossy(&line));
            said.push('\n');
        }
    }
}

fn handshake() -> Value {
    let info = json!({"name": "towline-test", "version": env!("CARGO_PKG_VERSION")});
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info});
    json!({"jsonrpc": "2.0", "id": "towline-hello", "method": "initialize", "params": params})
}

async fn post(target: &Target, frame: &Frame, patience: Duration, said: &mut String) -> Result<(), String> {
    let Kind::Url { url, headers } = &target.0 else { return Ok(()) };
    let client = reqwest::Client::new();
    let request = |body: Vec<u8>| {
        let mut request = client
            .post(url)
            .header("Content-Type", "application/json")
            .header("Accept", "application/json, text/event-stream")
            .header("MCP-Protocol-Version", "2025-06-18")
            .body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request
    };
    let exchange = async |body: Vec<u8>, said: &mut String| {
        let mut response = request(body).send().await.map_err(|error| crate::link::chain(&error))?;
        let status = response.status();
        // A stream may go on for ever; what matters comes first.
        let read = async {
            while let Ok(Some(part)) = response.chunk().await {
                said.push_str(&String::from_utf8_lossy(&part));
                if said.len() > READ {
                    break;
                }
            }
        };
        let _ = timeout(Duration::from_millis(500), read).await;
        Ok::<_, String>(status)
    };
    let silent = |_| "the server answers nothing any more".to_owned();
    // A server may close a connection on which it is sent too much.
    let status = timeout(patience, exchange(frame.bytes.clone(), said)).await.map_err(silent)?.ok();
    if let Some(status) = status.filter(reqwest::StatusCode::is_server_error) {
        return Err(format!("the server answers with the status {status}"));
    }
    let mut hello = String::new();
    let opening = handshake().to_string().into_bytes();
    let status = timeout(patience, exchange(opening, &mut hello)).await.map_err(silent)??;
    match status.is_success() {
        true => Ok(()),
        false => Err(format!("the next client gets the status {status}")),
    }
}
