//! `database-server`, as it ships.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

use crate::{Error, Sample, Served, free_address, get};

/// `database-server` as a process of its own, which ends with this value.
#[derive(Debug)]
pub struct DatabaseServer {
    served: Served,
    admin: SocketAddr,
    folder: TempDir,
}

impl DatabaseServer {
    /// Starts the program on one database, named `shop`. `settings` stands in its file behind the database's URL, and may
    /// begin with keys of that database.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn start(program: &Path, url: &str, settings: &str) -> Result<Self, Error> {
        let (address, admin) = (free_address()?, free_address()?);
        let folder = TempDir::new()?;
        let file = folder.path().join("server.toml");
        let text =
            format!("[admin]\nlisten = \"{admin}\"\n\n[databases.shop]\nurl = \"{url}\"\n{settings}\n");
        fs::write(&file, text)?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name == "DATABASE_URL" || name.starts_with("TOWLINE_") {
                command.env_remove(&*name);
            }
        }
        command.arg("--config").arg(&file).arg("--listen").arg(address.to_string());
        command.stderr(File::create(folder.path().join("log"))?);
        Ok(Self { served: Served::start(command, address).await?, admin, folder })
    }

    /// Where clients find it.
    pub fn address(&self) -> SocketAddr {
        self.served.address()
    }

    /// What it has now.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn sample(&self) -> Result<Sample, Error> {
        self.served.sample()
    }

    /// Whether it says that requests may be sent to it.
    ///
    /// # Errors
    ///
    /// When the admin listener does not answer.
    pub async fn is_ready(&self) -> Result<bool, Error> {
        Ok(get(self.admin, "/readyz").await?.0 == 200)
    }

    /// What it has logged.
    ///
    /// # Errors
    ///
    /// When that cannot be read.
    pub fn log(&self) -> Result<String, Error> {
        Ok(fs::read_to_string(self.folder.path().join("log"))?)
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Served {
        &mut self.served
    }
}
