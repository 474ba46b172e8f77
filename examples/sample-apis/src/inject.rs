//! Puts a fault into an answer.

use std::convert::Infallible;
use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::{Compression, Crc, FlushCompress};
use futures_util::{Stream, StreamExt as _, stream};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use tokio::time::sleep;

use crate::answer::{Answer, error, set, with_type};
use crate::fault::{CutAt, Fault, Part, RedirectTo, RetryAfter};

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What goes out.
pub(crate) enum Outcome {
    Answer(Response<Body>),
    /// These bytes, and then the end of the connection.
    Raw(Bytes),
    /// The end of the connection.
    Cut,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self::Answer(
            answer.map(|body| Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()),
        )
    }
}

/// The parts of a request that a redirect is made of.
pub(crate) struct Asked<'a> {
    /// Where redirects to another origin lead.
    pub(crate) other: &'a str,
    pub(crate) path_and_query: &'a str,
}

/// Replaces or spoils `answer`, which is none where the fault comes first.
pub(crate) async fn apply(fault: Fault, answer: Answer, asked: &Asked<'_>) -> Outcome {
    match fault {
        Fault::Slow { delay } => {
            sleep(delay).await;
            answer.into()
        }
        Fault::SlowBody { delay, pieces } => slow_body(answer, delay, pieces),
        Fault::Status { status, retry_after, headers, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut answer = error(status, status.canonical_reason().unwrap_or("a fault on demand"));
            if let Some(retry_after) = retry_after {
                set(&mut answer, RETRY_AFTER, &written(retry_after));
            }
            if let Some(body) = body {
                *answer.body_mut() = body.into();
            }
            with_headers(answer, headers)
        }
        Fault::Headers { headers } => with_headers(answer, headers),
        Fault::ContentType { content_type, body } => {
            let mut answer = answer;
            set(&mut answer, CONTENT_TYPE, &content_type);
            if let Some(body) = body {
                *answer.body_mut() = body.into();
            }
            answer.into()
        }
        Fault::Cut { at } => cut(answer, at),
        Fault::Endless { delay, piece } => endless(delay, piece),
        Fault::Redirect { to, status } => redirect(&to, status, asked),
        Fault::GzipBomb { bytes } => gzip_bomb(bytes),
        Fault::Malformed { part } => Outcome::Raw(malformed(part)),
        Fault::Raw { text } => Outcome::Raw(text.into()),
        Fault::HugeHeaders { bytes } => huge_headers(answer, bytes),
        Fault::Hang => std::future::pending().await,
    }
}

fn written(retry_after: RetryAfter) -> String {
    match retry_after {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::DateIn(seconds) => {
            httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds.into()))
        }
    }
}

fn with_headers(mut answer: Answer, headers: impl IntoIterator<Item = (String, String)>) -> Outcome {
    for (name, value) in headers {
        if let Ok(name) = HeaderName::try_from(name) {
            set(&mut answer, name, &value);
        }
    }
    answer.into()
}

fn streamed(answer: Answer, pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Outcome {
    Outcome::Answer(
        answer.map(|_| StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync()),
    )
}

/// Tells the length beforehand, which a body in pieces does not do of itself.
fn with_length(mut answer: Answer, length: usize) -> Answer {
    answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    answer
}

fn slow_body(answer: Answer, delay: Duration, pieces: usize) -> Outcome {
    let body = answer.body().clone();
    let size = body.len().div_ceil(pieces).max(1);
    let starts = (0..body.len()).step_by(size);
    let answer = with_length(answer, body.len());
    let pieces = stream::iter(starts).then(move |start| {
        let piece = body.slice(start..body.len().min(start + size));
        async move {
            sleep(delay).await;
            Ok(piece)
        }
    });
    streamed(answer, pieces)
}

fn cut(answer: Answer, at: CutAt) -> Outcome {
    match at {
        CutAt::Start => Outcome::Cut,
        CutAt::Headers => Outcome::Raw(Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-type: applica")),
        CutAt::Body | CutAt::Chunks => {
            let half = answer.body().slice(..answer.body().len() / 2);
            let answer = match at {
                // More than there is, for the sake of answers without a body.
                CutAt::Body => {
                    let length = answer.body().len() + 1;
                    with_length(answer, length)
                }
                _ => answer,
            };
            let end = async {
                // What is before must reach the wire: an error makes hyper forget what it has not written yet.
                sleep(Duration::from_millis(20)).await;
                Err(io::Error::other("cut on demand"))
            };
            streamed(answer, stream::iter([Ok(half)]).chain(stream::once(end)))
        }
    }
}

fn endless(delay: Duration, size: usize) -> Outcome {
    let piece = Bytes::from([b' '].repeat(size));
    let pieces = stream::repeat(piece).then(move |piece| async move {
        if !delay.is_zero() {
            sleep(delay).await;
        }
        Ok(piece)
    });
    // An array that may yet go on to be JSON.
    let start = stream::iter([Ok(Bytes::from_static(b"["))]);
    streamed(with_type(StatusCode::OK, "application/json", ""), start.chain(pieces))
}

fn redirect(to: &RedirectTo, status: u16, asked: &Asked<'_>) -> Outcome {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
    let mut answer = error(status, "moved");
    let location = match to {
        RedirectTo::SameOrigin => format!("/moved{}", asked.path_and_query),
        RedirectTo::OtherOrigin => format!("{}{}", asked.other, asked.path_and_query),
        RedirectTo::Loop => asked.path_and_query.to_owned(),
        RedirectTo::Location(location) => location.clone(),
    };
    set(&mut answer, LOCATION, &location);
    answer.into()
}

/// How much one piece of a bomb becomes.
const PIECE: u64 = 1 << 20;

/// `{}` and then spaces. One compressed piece is made and sent again and again.
fn gzip_bomb(bytes: u64) -> Outcome {
    let (count, rest) = (bytes.saturating_sub(2) / PIECE, bytes.saturating_sub(2) % PIECE);
    let spaces = |size: u64| [b' '].repeat(usize::try_from(size).unwrap_or_default());
    let (piece, rest) = (spaces(PIECE), spaces(rest));

    let mut crc = Crc::new();
    crc.update(b"{}");
    let mut piece_crc = Crc::new();
    piece_crc.update(&piece);
    (0..count).for_each(|_| crc.combine(&piece_crc));
    crc.update(&rest);

    // RFC 1952: the magic number, deflate, no flags, no time, no hints; the checksum and the size come last.
    let mut head = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    head.extend(deflated(b"{}"));
    let mut tail = deflated(&rest);
    // An empty last block.
    tail.extend([0x03, 0x00]);
    tail.extend(crc.sum().to_le_bytes());
    tail.extend(crc.amount().to_le_bytes());

    let piece = Bytes::from(deflated(&piece));
    let mut answer = with_type(StatusCode::OK, "application/json", "");
    answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let pieces = stream::iter([Bytes::from(head)])
        .chain(stream::iter((0..count).map(move |_| piece.clone())))
        .chain(stream::iter([Bytes::from(tail)]));
    streamed(answer, pieces.map(Ok))
}

/// Whole blocks that end on a byte and lean on nothing before them, so that they can follow one another.
fn deflated(data: &[u8]) -> Vec<u8> {
    let mut compress = flate2::Compress::new(Compression::best(), false);
    let mut out = Vec::with_capacity(data.len() / 100 + 1024);
    // It has room for all, so that one call suffices, and memory does not fail it.
    let _ = compress.compress_vec(data, &mut out, FlushCompress::Sync);
    out
}

fn malformed(part: Part) -> Bytes {
    Bytes::from_static(match part {
        Part::StatusLine => b"HTTP/1.1 fine OK\r\ncontent-length: 0\r\n\r\n".as_slice(),
        Part::Header => b"HTTP/1.1 200 OK\r\nthis is no header\r\ncontent-length: 0\r\n\r\n",
        Part::Chunk => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nlong\r\n{}\r\n0\r\n\r\n",
        Part::Length => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 20\r\n\r\n{}",
        Part::Protocol => b"SSH-2.0-OpenSSH_9.9\r\n",
    })
}

fn huge_headers(mut answer: Answer, bytes: usize) -> Outcome {
    const LINE: usize = 8192;
    for number in 0..bytes.div_ceil(LINE) {
        let name = format!("x-filler-{number}");
        let filler = "x".repeat(LINE.saturating_sub(name.len() + 4));
        if let Ok(name) = HeaderName::try_from(name) {
            set(&mut answer, name, &filler);
        }
    }
    answer.into()
}
