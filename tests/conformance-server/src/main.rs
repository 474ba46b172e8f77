//! A server for the official conformance suite: `conformance-server --stdio` or
//! `conformance-server --listen 127.0.0.1:8080`.

use std::env;
use std::io::{Error, Result};
use std::net::SocketAddr;

use towline::{Server, http, stdio};

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::new(conformance_server::router().map_err(Error::other)?);
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--stdio"] => stdio::serve(server).await,
        ["--listen", address] => {
            let address: SocketAddr = address.parse().map_err(Error::other)?;
            http::serve(server, address).await
        }
        _ => Err(Error::other("usage: conformance-server --stdio | --listen ADDRESS")),
    }
}
