use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Cluster, Error, Server};

/// An empty database of its own on a running server; dropped with this value.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    /// Creates a database on the shared cluster, see [`Cluster::shared`].
    ///
    /// # Errors
    ///
    /// Those of [`Cluster::shared`], and [`Error::Failed`] when the server refuses.
    pub fn fresh() -> Result<Self, Error> {
        Self::fresh_on(Cluster::shared()?)
    }

    /// Creates a database on `server`.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] when the server refuses.
    pub fn fresh_on(server: &Server) -> Result<Self, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // The process id alone could repeat on a server that outlives its users.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("scratch_{}_{now}_{count}", std::process::id());
        server.run("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(Self { server: server.clone(), name })
    }

    /// The database's name: unique on the server, so a good prefix for roles, which databases share.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server it is on.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its URL, for the superuser.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its URL for another role, see [`Server::url_as`].
    pub fn url_as(&self, role: &str, password: &str) -> String {
        self.server.url_as(role, password, &self.name)
    }

    /// Runs SQL in it, see [`Server::run`].
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] at the first statement that fails.
    pub fn run(&self, sql: &str) -> Result<String, Error> {
        self.server.run(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Best effort: the cluster goes away as a whole in the end.
        let _ = self.server.run("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}
