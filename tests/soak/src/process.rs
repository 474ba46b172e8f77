//! A server's process, from outside.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::Error;

/// How long a server may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much more memory is no leak: what an allocator keeps is never quite the same.
const TOLERANCE_PERCENT: u64 = 20;
const TOLERANCE_KIB: u64 = 16 * 1024;

/// A server that ends with this value.
#[derive(Debug)]
pub struct Served {
    child: Child,
    id: u32,
    address: SocketAddr,
}

/// What a process has at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Its memory that is in use (`VmRSS`), in KiB.
    pub memory_kib: u64,
    /// The most that has ever been in use (`VmHWM`), in KiB.
    pub peak_kib: u64,
    /// Its open files and sockets.
    pub descriptors: usize,
}

impl Sample {
    /// Tells what it has more than before, beyond what no allocator gives back: 20 % and 16 MiB of memory, and no
    /// descriptor.
    pub fn more_than(&self, before: &Self) -> Vec<String> {
        let mut more = Vec::new();
        let bound = before.memory_kib * (100 + TOLERANCE_PERCENT) / 100 + TOLERANCE_KIB;
        if self.memory_kib > bound {
            let now = self.memory_kib;
            more.push(format!(
                "memory: {now} KiB, at most {bound} KiB expected ({} KiB before, {TOLERANCE_PERCENT} % and {TOLERANCE_KIB} KiB)",
                before.memory_kib
            ));
        }
        if self.descriptors > before.descriptors {
            more.push(format!("descriptors: {}, {} before", self.descriptors, before.descriptors));
        }
        more
    }
}

impl Served {
    /// Starts a server that will listen at `address`, and returns once it does.
    ///
    /// # Errors
    ///
    /// When it cannot be started, ends, or does not listen within half a minute.
    pub async fn start(mut command: Command, address: SocketAddr) -> Result<Self, Error> {
        command.stdin(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let id = child.id().ok_or("the server has no process id")?;
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                if let Some(status) = child.try_wait()? {
                    return Err(format!("the server ended with {status}").into());
                }
                sleep(Duration::from_millis(20)).await;
            }
            Ok::<_, Error>(())
        };
        timeout(PATIENCE, listens).await.map_err(|_| "the server does not listen")??;
        Ok(Self { child, id, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What it has now.
    ///
    /// # Errors
    ///
    /// When it has ended, or there is no `/proc`.
    pub fn sample(&self) -> Result<Sample, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let kib = |name: &str| -> Result<u64, Error> {
            let of_name = status.lines().find_map(|line| line.strip_prefix(name));
            let number = of_name.and_then(|rest| rest.split_whitespace().next()).ok_or("it has no memory")?;
            Ok(number.parse()?)
        };
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.id))?.count();
        Ok(Sample { memory_kib: kib("VmRSS:")?, peak_kib: kib("VmHWM:")?, descriptors })
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn terminate(&self) -> Result<(), Error> {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw).ok_or("the id is none")?;
        Ok(kill_process(id, Signal::TERM)?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// When it does not end within half a minute.
    pub async fn ended(&mut self) -> Result<ExitStatus, Error> {
        Ok(timeout(PATIENCE, self.child.wait()).await.map_err(|_| "the server does not end")??)
    }

    /// Asks it to end, which it must do in order.
    ///
    /// # Errors
    ///
    /// When it ends otherwise, or does not.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.terminate()?;
        let status = self.ended().await?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }
}

/// A loopback address at which nobody listens.
///
/// # Errors
///
/// When there is none.
pub fn free_address() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Lets this process, and those that it starts, have as many descriptors as they may, and tells how many that is.
///
/// # Errors
///
/// When the system refuses.
pub fn raise_descriptors() -> Result<u64, Error> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(limit.current.unwrap_or(u64::MAX))
}
