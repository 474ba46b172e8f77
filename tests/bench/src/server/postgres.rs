//! The Postgres pack on one database.

use std::future::pending;

use towline_core::{Router, Server};
use towline_postgres::{DatabaseConfig, Pool};
use towline_transport::http::HttpServer;

use crate::Error;
use crate::workload::{NAME, SERVER_VERSION};

/// The statement that everyone runs. `$1` is a key.
pub const SQL: &str = "SELECT id, name, price FROM products WHERE id = $1";

/// A server with the tools of the pack.
///
/// # Errors
///
/// When the URL is none.
pub fn server(url: &str, connections: usize) -> Result<Server, Error> {
    let mut config = DatabaseConfig::new(format!("{url}?sslmode=disable"));
    config.pool_max_size = connections;
    config.schemas = vec!["public".into()];
    let tools = towline_postgres::tools([Pool::new(config)?]);
    Ok(Server::new(Router::new(NAME, SERVER_VERSION).tools(tools)))
}

/// Serves HTTP on a free loopback port, which is printed, until the process ends.
///
/// # Errors
///
/// When there is no port, or the URL is none.
pub fn serve_http(url: &str, connections: usize) -> Result<(), Error> {
    let url = url.to_owned();
    super::block_on(async move {
        let listener = super::listen().await?;
        Ok(HttpServer::new(server(&url, connections)?).serve_until(listener, pending()).await?)
    })
}
