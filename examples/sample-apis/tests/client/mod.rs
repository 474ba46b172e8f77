//! A client that keeps to what it is told: a connection for each request, no redirects, no decompression.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) type Failed = Box<dyn Error + Send + Sync>;

/// Nothing here takes so long unless it hangs.
pub(crate) const LONG: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) async fn read(response: Response<Incoming>) -> Result<Self, Failed> {
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Self { status: head.status, headers: head.headers, body })
    }
}

/// One connection.
pub(crate) struct Connection(http1::SendRequest<Full<Bytes>>);

impl Connection {
    pub(crate) async fn open(base: &str) -> Result<Self, Failed> {
        let base: Uri = base.parse()?;
        let stream = TcpStream::connect(base.authority().unwrap().as_str()).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failed> {
        self.0.ready().await?;
        Ok(timeout(LONG, self.0.send_request(request)).await??)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Reply, Failed> {
        Reply::read(self.send(request("GET", path, &[], "")).await?).await
    }
}

pub(crate) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "sample.test");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

/// The answer up to the end of its headers.
pub(crate) async fn begin(base: &str, path: &str) -> Result<Response<Incoming>, Failed> {
    Connection::open(base).await?.send(request("GET", path, &[], "")).await
}

pub(crate) async fn try_get(base: &str, path: &str) -> Result<Reply, Failed> {
    Connection::open(base).await?.get(path).await
}

pub(crate) async fn get(base: &str, path: &str) -> Reply {
    call(base, "GET", path, &[], "").await
}

pub(crate) async fn call(
    base: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let mut connection = Connection::open(base).await.unwrap();
    let response = connection.send(request(method, path, headers, body)).await.unwrap();
    timeout(LONG, Reply::read(response)).await.unwrap().unwrap()
}
