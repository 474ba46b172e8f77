//! Servers as processes.

use std::fs::File;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

/// How long a process may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// A process that ends with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
}

/// What a process has left behind.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Process {
    /// Starts a command; what it writes is kept.
    ///
    /// # Panics
    ///
    /// Panics when it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let (stdout, stderr) = (kept(), kept());
        let child = command
            .stdin(Stdio::piped())
            .stdout(stdout.reopen().expect("a temporary file can be opened again"))
            .stderr(stderr.reopen().expect("a temporary file can be opened again"))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Self { child, stdout, stderr }
    }

    /// Starts a server that is told its address by `--listen`, and returns once it takes connections.
    ///
    /// # Panics
    ///
    /// Panics when it does not within half a minute.
    pub fn listen(command: &mut Command) -> (Self, SocketAddr) {
        let address = free_address();
        let mut process = Self::start(command.arg("--listen").arg(address.to_string()));
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = process.child.try_wait().expect("a child can be waited for") {
                panic!("{command:?} ended with {status}:\n{}", process.stderr());
            }
            assert!(started.elapsed() < PATIENCE, "{command:?} does not listen:\n{}", process.stderr());
            sleep(POLL);
        }
        (process, address)
    }

    /// Its standard input; dropping it ends the input.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// What it has written to standard output.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it has written to standard error.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends SIGHUP, at which servers read their settings again.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has an id");
        kill_process(id, signal).expect("a child can be signalled");
    }

    /// Waits until standard output has so many lines, and returns them.
    ///
    /// # Panics
    ///
    /// Panics when they do not come within half a minute.
    pub fn lines(&self, count: usize) -> Vec<String> {
        let started = Instant::now();
        loop {
            let stdout = self.stdout();
            let lines: Vec<_> = stdout.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
            if lines.len() >= count {
                return lines.into_iter().map(|line| line.trim_end().to_owned()).collect();
            }
            assert!(started.elapsed() < PATIENCE, "no {count} lines but {stdout:?}, and:\n{}", self.stderr());
            sleep(POLL);
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// Panics when it does not end within half a minute.
    pub fn wait(mut self) -> Ended {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return Ended { status, stdout: self.stdout(), stderr: self.stderr() };
            }
            assert!(started.elapsed() < PATIENCE, "it does not end:\n{}", self.stderr());
            sleep(POLL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds a binary of another package and returns where it is. Cargo does nothing if it is up to date.
///
/// # Panics
///
/// Panics when it does not compile.
pub fn cargo_build(package: &str) -> PathBuf {
    cargo_build_binary(package, package)
}

/// Builds a package of the workspace as the tests are built, and returns where one of its binaries is.
///
/// # Panics
///
/// Panics when it does not build, or has no binary of that name.
pub fn cargo_build_binary(package: &str, binary: &str) -> PathBuf {
    build("build", package, binary, &[])
}

/// Builds the binary of a package as the tests are built, but for that it needs nothing of the system that it runs on, and
/// returns where it is: where [`cargo_build`] puts the usual one.
///
/// # Panics
///
/// Panics when it does not build.
pub fn cargo_build_static(package: &str) -> PathBuf {
    build("rustc", package, package, &["--", "-C", "target-feature=+crt-static", "-C", "strip=symbols"])
}

fn build(command: &str, package: &str, binary: &str, more: &[&str]) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo has told of the package that is tested: build scripts that look at it would run again for each.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            cargo.env_remove(name);
        }
    }
    cargo.args([command, "--quiet", "--message-format=json", "--package", package]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if command == "rustc" {
        cargo.args(["--bin", binary]);
    }
    let output = cargo.args(more).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_ours = message["target"]["name"] == binary;
        Some(message["executable"].as_str().filter(|_| is_ours)?.into())
    });
    executables.next_back().unwrap_or_else(|| panic!("{package} has no binary {binary}"))
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
    listener.local_addr().expect("a listener has an address")
}

fn kept() -> NamedTempFile {
    NamedTempFile::new().expect("a temporary file can be made")
}

fn read(file: &NamedTempFile) -> String {
    let mut text = Vec::new();
    let mut file: File = file.reopen().expect("a temporary file can be opened again");
    file.read_to_end(&mut text).expect("a temporary file can be read");
    String::from_utf8(text).expect("servers write UTF-8")
}
