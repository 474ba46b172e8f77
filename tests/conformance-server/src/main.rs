//! A server for the official conformance suite: `conformance-server --stdio` or
//! `conformance-server [--json] --listen 127.0.0.1:8080`.
//!
//! It answers by streams of events, which the suite looks at more closely, or with `--json` as servers do by default.

use std::env;
use std::io::{Error, Result};
use std::net::SocketAddr;

use towline::http::{HttpServer, HttpService};
use towline::{Server, stdio};

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::new(conformance_server::router().map_err(Error::other)?);
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--stdio"] => stdio::serve(server).await,
        ["--listen", address] => listen(HttpService::new(server).stream_answers(), address).await,
        ["--json", "--listen", address] => listen(HttpService::new(server), address).await,
        _ => Err(Error::other("usage: conformance-server --stdio | [--json] --listen ADDRESS")),
    }
}

async fn listen(service: HttpService<Server>, address: &str) -> Result<()> {
    let address: SocketAddr = address.parse().map_err(Error::other)?;
    HttpServer::from(service).serve(address).await
}
