//! The HTTP client of the exporter: one small request at a time, from the exporter's own thread.
//!
//! That thread has no runtime, so blocking I/O is right for it, and a client of a hundred lines spares a server that
//! exports spans a second HTTP stack.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

/// An answer of a collector has a few bytes; what is longer is not read.
const MAX_ANSWER: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Client {
    timeout: Duration,
}

impl Client {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let deadline = Instant::now() + self.timeout;
        let mut stream = connect(&request, deadline)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(left(deadline)?))?;
        stream.write_all(&head(&request)?)?;
        stream.write_all(request.body())?;
        read(&mut stream, deadline)
    }
}

fn connect(request: &Request<Bytes>, deadline: Instant) -> io::Result<TcpStream> {
    let uri = request.uri();
    let host = uri.host().ok_or(io::ErrorKind::InvalidInput)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, uri.port_u16().unwrap_or(80)).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn head(request: &Request<Bytes>) -> Result<Vec<u8>, HttpError> {
    let uri = request.uri();
    let authority = uri.authority().ok_or("the address has no host")?;
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut head = format!("{} {path} HTTP/1.1\r\nhost: {host}\r\n", request.method()).into_bytes();
    for (name, value) in request.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    write!(head, "content-length: {}\r\nconnection: close\r\n\r\n", request.body().len())?;
    Ok(head)
}

fn read(stream: &mut TcpStream, deadline: Instant) -> Result<Response<Bytes>, HttpError> {
    let (mut text, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let read = stream.read(&mut chunk)?;
        text.extend_from_slice(&chunk[..read]);
        if let Some(answer) = parse(&text, read == 0)? {
            return Ok(answer);
        }
        if read == 0 || text.len() > MAX_ANSWER {
            return Err("the collector's answer is cut off or too long".into());
        }
    }
}

/// The answer, if it is all there.
fn parse(text: &[u8], is_all: bool) -> Result<Option<Response<Bytes>>, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(text)? else { return Ok(None) };
    let mut answer = Response::builder().status(head.code.unwrap_or_default());
    let mut body_length = None;
    for header in head.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            body_length = Some(std::str::from_utf8(header.value)?.trim().parse::<usize>()?);
        }
        answer = answer.header(header.name, header.value);
    }
    // Only what is wrong with parts of a batch stands in a body. One in chunks is not worth reading.
    let body = &text[length..];
    match body_length {
        Some(length) if body.len() >= length => {
            Ok(Some(answer.body(Bytes::copy_from_slice(&body[..length]))?))
        }
        Some(_) if !is_all => Ok(None),
        _ => Ok(Some(answer.body(Bytes::new())?)),
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_all_there() {
        let whole = b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nbusy";
        for length in 0..whole.len() {
            assert!(parse(&whole[..length], false).unwrap().is_none(), "{length}");
        }
        let answer = parse(whole, false).unwrap().unwrap();
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (503, &b"busy"[..]));
        assert_eq!(answer.headers()["retry-after"], "3");

        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(parse(chunked, false).unwrap().unwrap().status(), 200);
        assert!(parse(b"SMTP", false).is_err());
    }
}
