//! Towline, as its guide says to use it.

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpListener;
use tower::Service as _;
use towline_core::codec::{self, Agreed, Limits, Message};
use towline_core::protocol::RequestId;
use towline_core::{Json, Request, Router, Server, ToolSet, tool_fn};
use towline_transport::http::HttpServer;

use crate::Error;
use crate::workload::{ECHO, Echo, NAME, NoArguments, ROWS, SEARCH, SERVER_VERSION, Search, TOOLS, rows};

pub(super) async fn serve_http(listener: TcpListener) -> Result<(), Error> {
    Ok(HttpServer::new(server()).serve_until(listener, pending()).await?)
}

pub(super) async fn serve_stdio() -> Result<(), Error> {
    Ok(towline_transport::stdio::serve(server()).await?)
}

/// A server with the tools of this benchmark.
pub fn server() -> Server {
    let echo = tool_fn("echo", ECHO, async |args: Echo| args.text);
    let rows = tool_fn("rows", ROWS, async |_: NoArguments| Json(rows()));
    let others = (2..TOOLS).fold(ToolSet::new(), |tools, n| {
        let name: Arc<str> = format!("search_orders_{n}").into();
        tools.with(tool_fn(name, SEARCH, async |args: Search| args.query))
    });
    Server::new(Router::new(NAME, SERVER_VERSION).tool(echo).tool(rows).tools(others))
}

/// Answers one message without a transport. `None` if it is no request.
pub async fn answer(server: &mut Server, body: Bytes) -> Option<Bytes> {
    let (id, request) = request(body)?;
    let version = request.context().version();
    let answer = server.call(request).await;
    Some(codec::encode(Some(&id), &answer, version))
}

/// Reads a request and settles in which revision it is answered. `None` if it is none.
pub fn request(body: Bytes) -> Option<(RequestId, Request)> {
    let Ok(Message::Request(id, mut request)) = codec::decode(body, &Limits::default()) else { return None };
    codec::negotiate(&mut request, Agreed::Handshake(None)).ok()?;
    Some((id, request))
}
