//! Servers on samples, asked what a model would ask.

mod api;
mod database;

use std::env;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::args::{Demo, Subject};
use crate::process::{Background, Interrupt, cargo};
use crate::report::{self, Failure};

const DEFAULT_PORT: u16 = 8080;
/// How long a server may take to listen; it needs a fraction of a second unless the machine is very busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts everything, asks the questions, and serves on until the user stops it.
pub(crate) fn run(options: &Demo, interrupt: &Interrupt) -> Result<(), Failure> {
    // First what fails fast: nobody should wait for a build to read that a port is taken.
    let address = choose_address(options.listen)?;
    match options.subject {
        Subject::Database => database::run(address, options.once, interrupt),
        Subject::Api => api::run(address, options.once, interrupt),
    }
}

/// Lets the server serve on until the user stops it, and shows its log.
fn serve_on(server: &mut Background, name: &str, interrupt: &Interrupt) -> Result<(), Failure> {
    server.follow_log();
    while !interrupt.is_set() {
        if server.has_ended() {
            return Err(Failure::Message(format!("{name} ended by itself")));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// The address asked for if it is free, or else the usual one or the next free port after it.
fn choose_address(asked: Option<SocketAddr>) -> Result<SocketAddr, Failure> {
    if let Some(address) = asked {
        return match TcpListener::bind(address).and_then(|listener| listener.local_addr()) {
            Ok(address) => Ok(address),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(Failure::Message(format!(
                "{address} is in use by another program; choose another port with `--listen`, or leave that out to \
                 take the next free one"
            ))),
            Err(error) => Err(Failure::io(format!("listen on {address}"))(error)),
        };
    }
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
    let address = (DEFAULT_PORT..DEFAULT_PORT + 100)
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .ok_or_else(|| {
            Failure::Message("no free port from 8080 to 8179; choose one with `--listen`".to_owned())
        })?;
    if address != usual {
        report::note(format_args!("port {DEFAULT_PORT} is in use, so this serves on {}", address.port()));
    }
    Ok(address)
}

/// Where a program on this machine reaches `address`: "all addresses" is none to connect to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Builds programs of the workspace; returns the folder that they stand in.
fn build(programs: &[&str], interrupt: &Interrupt) -> Result<PathBuf, Failure> {
    report::title(format_args!("Building {} (the first time takes minutes)", programs.join(", ")));
    let binaries = programs.iter().flat_map(|program| ["--bin", program]);
    interrupt.run_cargo(cargo().arg("build").args(binaries))?;
    let ours = env::current_exe().map_err(Failure::io("find our own program"))?;
    Ok(ours.parent().expect("a program stands in a folder").to_owned())
}

/// Lets the official Rust SDK ask what a model would ask.
fn ask(folder: &Path, endpoint: &str, subject: &str, interrupt: &Interrupt) -> Result<(), Failure> {
    report::title("Asking it what a model would ask");
    interrupt.run(Command::new(folder.join("tour")).args([endpoint, subject]))
}

/// Starts a server, and waits until it listens.
fn start(
    program: &Path,
    address: SocketAddr,
    interrupt: &Interrupt,
    configure: impl FnOnce(&mut Command),
) -> Result<Background, Failure> {
    let name = program.file_name().unwrap_or_default().display().to_string();
    let mut server = Background::start(program, |command| {
        command.arg("--listen").arg(address.to_string());
        configure(command);
    })
    .map_err(Failure::io(format!("start {name}")))?;
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect_timeout(&reachable(address), Duration::from_secs(1)).is_err() {
        if server.has_ended() || Instant::now() > deadline {
            report::line("");
            server.show_log();
            return Err(Failure::Message(format!("{name} does not listen on {address}")));
        }
        if interrupt.is_set() {
            return Err(Failure::Interrupted);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_that_was_asked_for_is_an_error_that_says_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = choose_address(Some(address)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{address} is in use")) && error.contains("--listen"), "{error}");
    }

    #[test]
    fn without_a_wish_the_next_free_port_is_taken() {
        let first = choose_address(None).unwrap();
        let _taken = TcpListener::bind(first);
        assert_ne!(choose_address(None).unwrap(), first);
    }
}
