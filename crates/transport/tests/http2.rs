//! Clients of HTTP/2 that ask for more than they may: each loses its connection or its streams, and others are served.

mod common;

use std::time::{Duration, Instant};

use common::wire::{Running, frame, post_call};
use common::{Probe, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use towline_transport::http::HttpServer;

/// Kinds of frames.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// Flags.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const COMPRESSION_ERROR: u32 = 9;

/// `:method: POST`, `:scheme: http`, `:path: /mcp`, `:authority: localhost` (RFC 7541, appendix A).
const HEAD: &[u8] = b"\x83\x86\x04\x04/mcp\x01\x09localhost";

/// Sends `frames` on a connection of its own, reads what comes until it is closed or quiet, and returns the kinds of the
/// frames with the code of an error where there is one, and how many bytes were taken.
async fn send(server: &Running, frames: impl Iterator<Item = Vec<u8>>) -> (Vec<(u8, u32)>, usize) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let reading = tokio::spawn(async move {
        let mut bytes = Vec::new();
        while let Ok(Ok(1..)) =
            tokio::time::timeout(Duration::from_secs(1), reader.read_buf(&mut bytes)).await
        {}
        bytes
    });
    let mut taken = 0;
    writer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    writer.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    for frame in frames {
        // The server may have closed it.
        if writer.write_all(&frame).await.is_err() {
            break;
        }
        taken += frame.len();
    }
    let bytes = reading.await.unwrap();
    let (mut answers, mut rest) = (Vec::new(), &bytes[..]);
    while let [a, b, c, kind, _, _, _, _, _, payload @ ..] = rest {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let payload_end = length.min(payload.len());
        let code = match *kind {
            RST_STREAM => payload.first_chunk(),
            GOAWAY => payload.get(4..).and_then(<[u8]>::first_chunk),
            _ => None,
        };
        answers.push((*kind, code.map_or(0, |code| u32::from_be_bytes(*code))));
        rest = &payload[payload_end..];
    }
    (answers, taken)
}

async fn others_are_served(server: &Running) {
    let start = Instant::now();
    assert_eq!(server.send(post_call("echo", r#"{"text":"hi"}"#, "")).await.status, 200);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

fn streams() -> impl Iterator<Item = u32> {
    (1..).step_by(2)
}

/// A request whose client takes it back at once costs the server little, and after some of them the client is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let probe = Probe::default();
    let server = Running::start(HttpServer::new(server(&probe))).await;
    let taken_back = streams().take(20_000).map(|stream| {
        let reset = frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
        [frame(HEADERS, END_HEADERS | END_STREAM, stream, HEAD), reset].concat()
    });
    let batches = taken_back.collect::<Vec<_>>().chunks(500).map(<[_]>::concat).collect::<Vec<_>>();
    let (answers, _) = send(&server, batches.into_iter()).await;
    assert!(answers.iter().any(|(kind, code)| *kind == GOAWAY && *code != 0), "{answers:?}");
    others_are_served(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_requests_run_on_a_connection_than_may() {
    let server = Running::start(HttpServer::new(server(&Probe::default()))).await;
    // Bodies follow, which never come.
    let many: Vec<u8> =
        streams().take(1000).flat_map(|stream| frame(HEADERS, END_HEADERS, stream, HEAD)).collect();
    let (answers, _) = send(&server, std::iter::once(many)).await;
    let refused = answers.iter().filter(|answer| **answer == (RST_STREAM, REFUSED_STREAM)).count();
    let is_over = answers.iter().any(|(kind, code)| *kind == GOAWAY && *code != 0);
    assert!(refused >= 900 || is_over, "{refused} refused");
    others_are_served(&server).await;
}

/// Headers that go on for ever are not kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end_end_the_connection() {
    let server = Running::start(HttpServer::new(server(&Probe::default()))).await;
    // A literal field whose value has 1,024 bytes: 127 of the prefix, and 897.
    let field = [b"\x00\x06x-long\x7f\x81\x07", &*vec![b'x'; 1024]].concat();
    let more = frame(CONTINUATION, 0, 1, &field.repeat(15));
    let frames = std::iter::once(frame(HEADERS, 0, 1, HEAD)).chain(std::iter::repeat_n(more, 20_000));
    let (answers, taken) = send(&server, frames).await;
    // What a socket holds on both sides is taken too.
    assert!(taken < 16 << 20, "{taken} bytes");
    let is_over = |(kind, code): &(u8, u32)| *kind == GOAWAY && ![0, COMPRESSION_ERROR].contains(code);
    assert!(answers.iter().any(is_over), "{answers:?}");
    others_are_served(&server).await;
}
