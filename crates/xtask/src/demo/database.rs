//! `database-server` on a PostgreSQL of its own.

use std::net::SocketAddr;

use towline_scratch_postgres::{Cluster, shop};

use super::{ask, build, reachable, serve_on, start};
use crate::connect;
use crate::install::{self, Need};
use crate::process::Interrupt;
use crate::report::{self, Failure};

const DATABASE: &str = "shop";
const READER: &str = "shop_reader";

pub(super) fn run(address: SocketAddr, once: bool, interrupt: &Interrupt) -> Result<(), Failure> {
    install::ensure(&[Need::Postgres, Need::Libclang, Need::Make], interrupt)?;
    let folder = build(&["database-server", "tour"], interrupt)?;
    let server = folder.join("database-server");

    let cluster = interrupt.check(report::step("Starting a private PostgreSQL", Cluster::start))?;
    let url = interrupt.check(report::step("Loading the sample shop", || load(&cluster)))?;

    let title = format!("Starting database-server on {address}");
    // The URL goes by the environment: a command line is for everybody to read.
    let mut running = interrupt.check(report::step(&title, || {
        start(&server, address, interrupt, |command| _ = command.env("DATABASE_URL", &url))
    }))?;
    let endpoint = format!("http://{}/mcp", reachable(address));
    ask(&folder, &endpoint, "database", interrupt)?;
    if once {
        return Ok(());
    }

    report::line(connect::instructions(&endpoint, "shop", &server, &["--stdio"], &[("DATABASE_URL", &url)]));
    serve_on(&mut running, "database-server", interrupt)?;
    drop(running);
    drop(cluster);
    report::line("");
    report::note("stopped; the server, the cluster and its files are gone");
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

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
