use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::error::Tried;
use crate::watchdog::Watchdog;
use crate::{Binaries, Cluster, Error, Server};

/// Settings of every cluster; [`Builder::setting`] overrides them.
const SETTINGS: &[(&str, &str)] = &[
    ("autovacuum", "off"), // statistics change only when somebody says so
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("jit", "off"),
    ("lc_messages", "C"),
    ("listen_addresses", "127.0.0.1"),
    ("log_timezone", "UTC"),
    ("max_connections", "200"),
    ("max_wal_senders", "0"),
    ("synchronous_commit", "off"),
    ("timezone", "UTC"),
    ("wal_level", "minimal"), // no replicas, so bulk loads need not be logged
];

/// How to start a [`Cluster`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    settings: Vec<(String, String)>,
}

impl Builder {
    /// Sets a server setting, as in `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Creates the cluster and returns once it accepts connections.
    ///
    /// # Errors
    ///
    /// [`Error::NotInstalled`] tells what to install; the others carry what PostgreSQL said.
    pub fn start(self) -> Result<Cluster, Error> {
        let binaries = Binaries::find()?;
        let user = if geteuid().is_root() { Some(unprivileged_user()?) } else { None };
        // Root's temporary directory may be closed to others, and a socket's path has room for 107 bytes.
        let parent = std::env::temp_dir();
        let parent =
            if user.is_some() || parent.as_os_str().len() > 60 { Path::new("/tmp") } else { &parent };
        let directory =
            TempDir::with_prefix_in("scratch-postgres-", parent).tried("create a temporary directory")?;
        let watchdog = Watchdog::start(directory.path())?;
        let password = random_hex()?;
        let password_file = directory.path().join("password");
        fs::write(&password_file, &password).tried("write the password file")?;
        if let Some((uid, gid)) = user {
            for path in [directory.path(), &password_file] {
                chown(path, Some(uid), Some(gid))
                    .tried("hand the temporary directory to PostgreSQL's user")?;
            }
        }

        let server = Server::with_psql(&format!("postgres://postgres:{password}@127.0.0.1"), &binaries.psql);
        let mut cluster = Cluster {
            process: None,
            watchdog,
            server,
            port: 0,
            settings: self.all(),
            binaries,
            user,
            directory,
        };
        cluster.initialise(&password_file)?;
        // Between the choice of a free port and its use another process may take it.
        let mut tries = 0;
        loop {
            cluster.port = free_port()?;
            match cluster.launch() {
                Err(Error::NotReady { log }) if log.contains("Address already in use") && tries < 5 => {
                    tries += 1;
                }
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        let url = format!("postgres://postgres:{password}@127.0.0.1:{}", cluster.port);
        cluster.server = Server::with_psql(&url, &cluster.binaries.psql);
        Ok(cluster)
    }

    /// The settings of every cluster, then those of this one: the last word counts.
    fn all(self) -> Vec<(String, String)> {
        let defaults = SETTINGS.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        defaults.chain(self.settings).collect()
    }
}

fn unprivileged_user() -> Result<(u32, u32), Error> {
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some((id("-u", name)?, id("-g", name)?)))
        .ok_or(Error::NoUnprivilegedUser)
}

fn id(option: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([option, name]).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).tried("find a free port")?;
    Ok(listener.local_addr().tried("find a free port")?.port())
}

fn random_hex() -> Result<String, Error> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).tried("read random bytes")?;
    Ok(bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes what is written");
        hex
    }))
}
