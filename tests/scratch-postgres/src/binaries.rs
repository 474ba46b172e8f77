use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// Where PostgreSQL's programs are.
#[derive(Clone, Debug)]
pub struct Binaries {
    pub(crate) initdb: PathBuf,
    pub(crate) postgres: PathBuf,
    pub(crate) psql: PathBuf,
}

impl Binaries {
    /// Looks in `PATH`, where `pg_config` points, and where distributions put them; of several versions in
    /// such a place it takes the newest.
    ///
    /// # Errors
    ///
    /// [`Error::NotInstalled`] names the first program that is missing.
    pub fn find() -> Result<Self, Error> {
        let directories = directories();
        let server = directories
            .iter()
            .find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
            .ok_or(Error::NotInstalled { program: "initdb" })?;
        // The client may stand elsewhere; the one beside the server fits it best.
        let psql = std::iter::once(server)
            .chain(&directories)
            .map(|dir| dir.join("psql"))
            .find(|psql| psql.is_file())
            .ok_or(Error::NotInstalled { program: "psql" })?;
        Ok(Self { initdb: server.join("initdb"), postgres: server.join("postgres"), psql })
    }

    /// Looks for the client alone: enough for a server that runs already.
    pub(crate) fn find_psql() -> Result<PathBuf, Error> {
        directories()
            .into_iter()
            .map(|dir| dir.join("psql"))
            .find(|psql| psql.is_file())
            .ok_or(Error::NotInstalled { program: "psql" })
    }
}

fn directories() -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    directories.extend(from_pg_config());
    for (parent, prefix, rest) in [
        ("/usr/lib/postgresql", "", "bin"),         // Debian, Ubuntu
        ("/usr", "pgsql-", "bin"),                  // PostgreSQL's own RPMs
        ("/usr/libexec", "postgresql", ""),         // Alpine
        ("/opt/homebrew/opt", "postgresql", "bin"), // Homebrew on Apple silicon
        ("/usr/local/opt", "postgresql", "bin"),    // Homebrew on Intel
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
        ("/usr/local", "pgsql", "bin"), // built from source
    ] {
        directories.extend(newest_first(Path::new(parent), prefix).into_iter().map(|dir| dir.join(rest)));
    }
    directories
}

fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(path.trim()))
}

/// The folders `prefix*` in `parent`, the highest version number first.
fn newest_first(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let rest = path.file_name().and_then(OsStr::to_str)?.strip_prefix(prefix)?;
            let digits = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            Some((digits[..end].parse().unwrap_or(0), path))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_numbers() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["postgresql@9.6", "postgresql@16", "postgresql@15", "postgresql", "other"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let names: Vec<_> = newest_first(dir.path(), "postgresql")
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["postgresql@16", "postgresql@15", "postgresql@9.6", "postgresql"]);
    }
}
