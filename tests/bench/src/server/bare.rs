//! Hyper, or a loop over lines, and serde_json: what somebody would write who needs these three answers and no more.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::LazyLock;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use crate::Error;
use crate::workload::{Echo, NAME, NoArguments, SERVER_VERSION, VERSION, Workload, rows};

pub(super) async fn serve_http(listener: TcpListener) -> Result<(), Error> {
    LazyLock::force(&TOOLS);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(respond)),
        );
    }
}

async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = match request.into_body().collect().await {
        Ok(body) => answer(&body.to_bytes()),
        Err(_) => None,
    };
    let mut response = Response::new(Full::default());
    match answer {
        Some(answer) => {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *response.body_mut() = Full::new(answer.into());
        }
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}

/// Runs each request in a task of its own, and writes what has been answered meanwhile at once.
pub(super) async fn serve_pipes() -> Result<(), Error> {
    LazyLock::force(&TOOLS);
    let (input, mut output) = pipes()?;
    let (sender, mut answers) = mpsc::channel::<Vec<u8>>(64);
    let writing = tokio::spawn(async move {
        let mut batch = Vec::with_capacity(64);
        let mut buffer = Vec::new();
        while answers.recv_many(&mut batch, 64).await > 0 {
            for answer in batch.drain(..) {
                buffer.extend_from_slice(&answer);
                buffer.push(b'\n');
            }
            output.write_all(&buffer).await?;
            buffer.clear();
        }
        Ok::<_, Error>(())
    });
    let mut lines = BufReader::new(input).lines();
    while let Some(line) = lines.next_line().await? {
        let sender = sender.clone();
        tokio::spawn(async move {
            if let Some(answer) = answer(line.as_bytes()) {
                // It fails only if nobody reads any more.
                let _ = sender.send(answer).await;
            }
        });
    }
    drop(sender);
    writing.await?
}

pub(super) async fn serve_pipes_in_turn() -> Result<(), Error> {
    let (input, output) = pipes()?;
    serve_lines(input, output).await
}

pub(super) async fn serve_stdio_in_turn() -> Result<(), Error> {
    serve_lines(tokio::io::stdin(), tokio::io::stdout()).await
}

/// Standard input and output as pipes that the runtime waits for, opened anew so that nobody else's end becomes
/// non-blocking.
fn pipes() -> Result<(pipe::Receiver, pipe::Sender), Error> {
    let input = pipe::OpenOptions::new().open_receiver("/dev/stdin")?;
    let output = pipe::OpenOptions::new().open_sender("/dev/stdout")?;
    Ok((input, output))
}

async fn serve_lines(
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<(), Error> {
    LazyLock::force(&TOOLS);
    let mut input = BufReader::new(input);
    let mut line = String::new();
    while input.read_line(&mut line).await? > 0 {
        let mut answer = answer(line.as_bytes()).ok_or("not a request")?;
        answer.push(b'\n');
        output.write_all(&answer).await?;
        output.flush().await?;
        line.clear();
    }
    Ok(())
}

#[derive(Deserialize)]
struct Message<'a> {
    jsonrpc: &'a str,
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Meta<'a>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Cow<'a, str>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    _capabilities: IgnoredAny,
}

#[derive(Serialize)]
struct Answer<'a, T> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    result: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallResult<'a> {
    result_type: &'static str,
    content: [Text<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<&'a RawValue>,
    #[serde(rename = "_meta")]
    meta: ResultMeta,
}

#[derive(Serialize)]
struct Text<'a> {
    r#type: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct ResultMeta {
    #[serde(rename = "io.modelcontextprotocol/serverInfo")]
    server: Server,
}

#[derive(Serialize)]
struct Server {
    name: &'static str,
    version: &'static str,
}

/// Answers one of the requests of this benchmark, and nothing else.
pub fn answer(message: &[u8]) -> Option<Vec<u8>> {
    let Message { jsonrpc, id, method, params } = serde_json::from_slice(message).ok()?;
    if jsonrpc != "2.0" || params.meta.version != VERSION {
        return None;
    }
    match (&*method, params.name.as_deref()) {
        ("tools/call", Some("echo")) => {
            let echo: Echo = serde_json::from_str(params.arguments?.get()).ok()?;
            write(id, call_result(&echo.text, None))
        }
        ("tools/call", Some("rows")) => {
            let NoArguments {} = serde_json::from_str(params.arguments?.get()).ok()?;
            let rows = serde_json::value::to_raw_value(rows()).ok()?;
            write(id, call_result(rows.get(), Some(&rows)))
        }
        ("tools/list", _) => write(id, &**TOOLS),
        _ => None,
    }
}

fn call_result<'a>(text: &'a str, structured_content: Option<&'a RawValue>) -> CallResult<'a> {
    CallResult {
        result_type: "complete",
        content: [Text { r#type: "text", text }],
        structured_content,
        meta: ResultMeta { server: Server { name: NAME, version: SERVER_VERSION } },
    }
}

fn write(id: &RawValue, result: impl Serialize) -> Option<Vec<u8>> {
    serde_json::to_vec(&Answer { jsonrpc: "2.0", id, result }).ok()
}

/// The list of tools never changes, so it is serialised once.
static TOOLS: LazyLock<Box<RawValue>> = LazyLock::new(tools_of);

/// The very list that Towline gives, so that both send the same bytes.
fn tools_of() -> Box<RawValue> {
    #[derive(Deserialize)]
    struct List {
        result: Box<RawValue>,
    }
    let body = Bytes::from(Workload::List.message().body().to_owned());
    let mut server = super::towline_server();
    let list = super::towline_answer(&mut server, body).now_or_never().flatten();
    let list = list.expect("the message is a request, and nothing waits");
    serde_json::from_slice::<List>(&list).expect("an answer is JSON").result
}
