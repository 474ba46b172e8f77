//! Whether the server that runs beside works, for images without a shell.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::{AdminConfig, Failure, ServerConfig};

/// How long it may take over each step.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks the server that runs with these settings whether it works: at its admin listener, or else whether it answers at all.
///
/// # Errors
///
/// When it does not.
pub fn healthcheck(server: &ServerConfig, admin: &AdminConfig) -> Result<(), Failure> {
    let (address, path, expected) = match admin.listen {
        Some(address) => (address, "/livez", Some("200")),
        None => (server.listen, server.path.as_str(), None),
    };
    let address = reachable(address);
    let status =
        ask(address, path).map_err(|error| Failure::refused(format!("no answer at {address}: {error}")))?;
    match expected {
        Some(expected) if status != expected => {
            Err(Failure::refused(format!("{address} answers with {status}")))
        }
        _ => Ok(()),
    }
}

/// Where a server that listens everywhere is reached from its own machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(_) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        }
    }
    address
}

/// The status of the answer to a GET.
fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    // The status line is at most that long: `HTTP/1.1 200`.
    let mut line = [0; 12];
    stream.read_exact(&mut line)?;
    let line = String::from_utf8_lossy(&line);
    match line.strip_prefix("HTTP/1.") {
        Some(rest) => Ok(rest[2..].to_owned()),
        None => Err(std::io::Error::other("that is no HTTP server")),
    }
}
