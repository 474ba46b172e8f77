use std::env;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use towline_scratch_postgres::{Cluster, shop};

use crate::args::Demo;
use crate::connect;
use crate::install::{self, Need};
use crate::process::{Background, Interrupt, cargo};
use crate::report::{self, Failure};

const DEFAULT_PORT: u16 = 8080;
const DATABASE: &str = "shop";
const READER: &str = "shop_reader";
/// How long the server may take to listen; it needs a fraction of a second unless the machine is very busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts everything, asks the questions, and serves on until the user stops it.
pub(crate) fn run(options: &Demo, interrupt: &Interrupt) -> Result<(), Failure> {
    // First what fails fast: nobody should wait for a build to read that a port is taken.
    let address = choose_address(options.listen)?;
    install::ensure(&[Need::Postgres, Need::Libclang], interrupt)?;
    let (server, tour) = build(interrupt)?;

    let cluster = interrupt.check(report::step("Starting a private PostgreSQL", Cluster::start))?;
    let url = interrupt.check(report::step("Loading the sample shop", || load(&cluster)))?;

    let mut running = interrupt
        .check(report::step(&format!("Starting database-server on {address}"), || {
            start_server(&server, &url, address, interrupt)
        }))?;
    let endpoint = format!("http://{}/mcp", reachable(address));
    report::title("Asking it what a model would ask");
    interrupt.run(Command::new(&tour).arg(&endpoint))?;
    if options.once {
        return Ok(());
    }

    report::line(connect::instructions(&endpoint, &server, &url));
    running.follow_log();
    while !interrupt.is_set() {
        if running.has_ended() {
            return Err(Failure::Message("database-server ended by itself".to_owned()));
        }
        thread::sleep(Duration::from_millis(100));
    }
    drop(running);
    drop(cluster);
    report::line("");
    report::note("stopped; the server, the cluster and its files are gone");
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

/// Builds the server and the client of the tour; returns their paths.
fn build(interrupt: &Interrupt) -> Result<(PathBuf, PathBuf), Failure> {
    report::title("Building database-server and the tour (the first time takes minutes)");
    interrupt.run_cargo(cargo().args(["build", "--bin", "database-server", "--bin", "tour"]))?;
    let ours = env::current_exe().map_err(Failure::io("find our own program"))?;
    let directory = ours.parent().expect("a program stands in a folder");
    Ok((directory.join("database-server"), directory.join("tour")))
}

/// Loads the shop and returns its URL for a role that may only read.
fn load(cluster: &Cluster) -> Result<String, Failure> {
    let password = cluster.run("postgres", "SELECT replace(gen_random_uuid()::text, '-', '')")?;
    let password = password.trim();
    cluster.run("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
    shop::load(cluster, DATABASE)?;
    cluster.run(
        DATABASE,
        &format!(
            "CREATE ROLE {READER} LOGIN PASSWORD '{password}';
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER};"
        ),
    )?;
    Ok(cluster.url_as(READER, password, DATABASE))
}

fn start_server(
    program: &Path,
    url: &str,
    address: SocketAddr,
    interrupt: &Interrupt,
) -> Result<Background, Failure> {
    // The URL goes by the environment: a command line is for everybody to read.
    let mut server = Background::start(program, |command| {
        command.arg("--listen").arg(address.to_string()).env("DATABASE_URL", url);
    })
    .map_err(Failure::io("start database-server"))?;
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect_timeout(&reachable(address), Duration::from_secs(1)).is_err() {
        if server.has_ended() || Instant::now() > deadline {
            report::line("");
            server.show_log();
            return Err(Failure::Message(format!("database-server does not listen on {address}")));
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

    #[test]
    fn the_reader_reads_and_writes_nothing() {
        let cluster = Cluster::start().unwrap();
        let url = load(&cluster).unwrap();
        let reader = towline_scratch_postgres::Server::at(&url).unwrap();
        assert!(
            reader.run(DATABASE, "SELECT count(*) FROM orders").unwrap().trim().parse::<u32>().unwrap()
                > 10_000
        );
        assert!(reader.run(DATABASE, "SELECT count(*) FROM monthly_revenue").is_ok());
        assert!(reader.run(DATABASE, "DELETE FROM events").is_err());
    }
}
