use std::fmt::Write as _;
use std::fs::{self, File};
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::error::Tried;
use crate::signal::{children, signal_one};
use crate::watchdog::Watchdog;
use crate::{Binaries, Builder, Error, SHARED_URL, Server};

/// How long a server may take to become ready. A loaded machine needs far more than the usual 0.1 s.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// A private PostgreSQL server that lives as long as this value.
///
/// It derefs to [`Server`], which knows its URLs and runs SQL.
#[derive(Debug)]
pub struct Cluster {
    // The order matters: the watchdog removes the directory before `directory` looks for what is left.
    pub(crate) process: Option<Child>,
    pub(crate) watchdog: Watchdog,
    pub(crate) server: Server,
    pub(crate) port: u16,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) binaries: Binaries,
    /// User and group to run as; `None` for the caller's own.
    pub(crate) user: Option<(u32, u32)>,
    pub(crate) directory: TempDir,
}

impl Cluster {
    /// Starts a cluster with the default settings, see [`Builder::start`].
    ///
    /// # Errors
    ///
    /// Those of [`Builder::start`].
    pub fn start() -> Result<Self, Error> {
        Self::builder().start()
    }

    /// A builder, for settings of one's own.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The cluster that tests share: the one that [`SHARED_URL`] names, or else one of this process.
    ///
    /// It is for [`Database::fresh`](crate::Database::fresh); a test that stops the server needs its own.
    ///
    /// # Errors
    ///
    /// Those of [`Builder::start`].
    pub fn shared() -> Result<&'static Server, Error> {
        static EXTERNAL: OnceLock<Server> = OnceLock::new();
        // Never dropped: the watchdog stops it when the process ends.
        static OWN: OnceLock<Cluster> = OnceLock::new();
        static STARTING: std::sync::Mutex<()> = std::sync::Mutex::new(());

        if let Some(url) = std::env::var(SHARED_URL).ok().filter(|url| !url.is_empty()) {
            let server = Server::at(&url)?;
            return Ok(EXTERNAL.get_or_init(|| server));
        }
        let _starting = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(cluster) = OWN.get() {
            return Ok(cluster);
        }
        let cluster = Self::start()?;
        Ok(OWN.get_or_init(|| cluster))
    }

    /// The loopback port; a restart keeps it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of one database over the Unix socket, where the superuser needs no password.
    pub fn socket_url(&self, database: &str) -> String {
        let mut socket = String::new();
        for byte in self.directory.path().as_os_str().as_encoded_bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    socket.push(char::from(*byte));
                }
                _ => write!(socket, "%{byte:02X}").expect("a String takes what is written"),
            }
        }
        format!("postgres://postgres@{socket}:{}/{database}", self.port)
    }

    /// Where the cluster's files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Stops the server, ending all connections; its data stay for [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be signalled.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.shut_down(Signal::INT)
    }

    /// Starts the server again on the same port with the same data, after stopping it if it runs.
    ///
    /// # Errors
    ///
    /// [`Error::NotReady`] with the end of the server's log.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop()?;
        self.launch()
    }

    /// Freezes the server with all its connections: they stay open and answer nothing.
    ///
    /// Where there is no `/proc`, only new connections hang.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be signalled.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal_all(Signal::STOP)
    }

    /// Ends [`pause`](Self::pause).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be signalled.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal_all(Signal::CONT)
    }

    /// Creates the cluster's files.
    pub(crate) fn initialise(&mut self, password_file: &Path) -> Result<(), Error> {
        let locale = if cfg!(target_os = "linux") { "C.UTF-8" } else { "C" };
        let child = self
            .command(&self.binaries.initdb)
            .args(["--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256"])
            .args(["--encoding=UTF8", "--no-sync", "--no-instructions"])
            .arg(format!("--locale={locale}"))
            .arg(format!("--pwfile={}", password_file.display()))
            .arg(format!("--pgdata={}", self.data().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .tried("start initdb")?;
        self.watchdog.guard(child.id());
        let output = child.wait_with_output().tried("wait for initdb")?;
        self.watchdog.guard(0);
        if !output.status.success() {
            let output = [output.stdout, output.stderr].concat();
            return Err(Error::Failed {
                program: "initdb",
                output: String::from_utf8_lossy(&output).trim().to_owned(),
            });
        }
        Ok(())
    }

    /// Starts the server process and waits until it is ready.
    pub(crate) fn launch(&mut self) -> Result<(), Error> {
        let log_path = self.directory.path().join("log");
        let log = File::create(&log_path).tried("create the server's log")?;
        let mut command = self.command(&self.binaries.postgres);
        command.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path());
        command.arg("-p").arg(self.port.to_string());
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let mut child = command.stderr(log).spawn().tried("start postgres")?;
        self.watchdog.guard(child.id());

        let deadline = Instant::now() + START_TIMEOUT;
        let ready = loop {
            if self.is_ready(child.id()) {
                break true;
            }
            if child.try_wait().tried("wait for postgres")?.is_some() || Instant::now() > deadline {
                break false;
            }
            thread::sleep(POLL);
        };
        self.process = Some(child);
        if ready {
            return Ok(());
        }
        self.shut_down(Signal::QUIT)?;
        let log = fs::read_to_string(&log_path).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(8).collect();
        Err(Error::NotReady { log: tail.into_iter().rev().collect::<Vec<_>>().join("\n") })
    }

    /// The postmaster notes its id in the lock file's first line and its state in the eighth.
    fn is_ready(&self, id: u32) -> bool {
        fs::read_to_string(self.data().join("postmaster.pid")).is_ok_and(|file| {
            let mut lines = file.lines().map(str::trim);
            lines.next() == Some(id.to_string().as_str()) && lines.nth(6) == Some("ready")
        })
    }

    fn shut_down(&mut self, signal: Signal) -> Result<(), Error> {
        if self.process.is_none() {
            return Ok(());
        }
        self.signal_all(Signal::CONT)?; // a paused server sees no other signal
        let Some(mut process) = self.process.take() else { return Ok(()) };
        signal_one(process.id(), signal)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while process.try_wait().tried("wait for postgres")?.is_none() {
            if Instant::now() > deadline {
                process.kill().tried("kill postgres")?; // its children see that and end as well
                process.wait().tried("wait for postgres")?;
                break;
            }
            thread::sleep(POLL);
        }
        self.watchdog.guard(0);
        Ok(())
    }

    /// Signals the postmaster, then its children: each of them leads a process group of its own.
    fn signal_all(&self, signal: Signal) -> Result<(), Error> {
        let Some(process) = &self.process else { return Ok(()) };
        signal_one(process.id(), signal)?;
        for child in children(process.id()) {
            signal_one(child, signal)?;
        }
        Ok(())
    }

    /// A command under the unprivileged user, with an environment that says nothing of other servers.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C");
        command.current_dir(self.directory.path()).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

impl Deref for Cluster {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Whatever fails here, the watchdog tries again once it is dropped.
        let _ = self.shut_down(Signal::QUIT);
    }
}
