use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Tried;
use crate::{Binaries, Error};

/// A running PostgreSQL server: how to reach it, and a superuser's hand on it.
#[derive(Clone, Debug)]
pub struct Server {
    /// `postgres://user:password@host:port`, without a database.
    base: String,
    /// What stood behind the database: `?sslmode=...`, or nothing.
    options: String,
    psql: PathBuf,
}

impl Server {
    /// A server that runs already; `url` may name a database and options.
    ///
    /// # Errors
    ///
    /// [`Error::NotInstalled`] when there is no `psql`.
    pub fn at(url: &str) -> Result<Self, Error> {
        Ok(Self::with_psql(url, &Binaries::find_psql()?))
    }

    pub(crate) fn with_psql(url: &str, psql: &Path) -> Self {
        let (url, options) = match url.find('?') {
            Some(at) => url.split_at(at),
            None => (url, ""),
        };
        let authority = url.find("://").map_or(0, |at| at + 3);
        let end = url[authority..].find('/').map_or(url.len(), |at| authority + at);
        Self { base: url[..end].to_owned(), options: options.to_owned(), psql: psql.to_owned() }
    }

    /// The URL of one database, for the superuser: `postgres://postgres:...@127.0.0.1:PORT/database`.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}{}", self.base, self.options)
    }

    /// The URL of one database for another role.
    ///
    /// The role must exist: `CREATE ROLE name LOGIN PASSWORD '...'`. Neither part is escaped.
    pub fn url_as(&self, role: &str, password: &str, database: &str) -> String {
        let scheme_end = self.base.find("://").map_or(0, |at| at + 3);
        let host = self.base.rfind('@').map_or(scheme_end, |at| at + 1);
        let (scheme, host) = (&self.base[..scheme_end], &self.base[host..]);
        format!("{scheme}{role}:{password}@{host}/{database}{}", self.options)
    }

    /// Runs SQL, any number of statements, each in its own transaction, and returns the rows that came,
    /// one a line, columns separated by `|`.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] with what `psql` wrote, at the first statement that fails.
    pub fn run(&self, database: &str, sql: &str) -> Result<String, Error> {
        let mut child = Command::new(&self.psql)
            .args([
                "--no-psqlrc",
                "--quiet",
                "--no-align",
                "--tuples-only",
                "--set=ON_ERROR_STOP=1",
                "--file=-",
            ])
            .arg(format!("--dbname={}", self.url(database)))
            .env_remove("PGOPTIONS")
            .env("PGCLIENTENCODING", "UTF8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .tried("start psql")?;
        // On its own thread: psql answers while it still reads.
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let sql = sql.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(sql.as_bytes()));
        let output = child.wait_with_output().tried("wait for psql")?;
        let written = writer.join().expect("writing does not panic");
        if !output.status.success() {
            return Err(Error::Failed {
                program: "psql",
                output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        written.tried("write to psql")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, database: &str, as_role: &str) {
        let server = Server::with_psql(url, Path::new("psql"));
        assert_eq!((server.url("d").as_str(), server.url_as("r", "p", "d").as_str()), (database, as_role));
    }

    #[test]
    fn a_url_names_the_database_asked_for() {
        check("postgres://u:w@h:1", "postgres://u:w@h:1/d", "postgres://r:p@h:1/d");
        check("postgres://u:w@h:1/x", "postgres://u:w@h:1/d", "postgres://r:p@h:1/d");
        check("postgres://h/?a=/b", "postgres://h/d?a=/b", "postgres://r:p@h/d?a=/b");
    }
}
