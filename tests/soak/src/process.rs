//! The server's process, from outside.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::Error;

/// How long the server may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that ends with this value.
pub(crate) struct Served {
    child: Child,
    id: u32,
    address: SocketAddr,
}

/// What the process has at one moment.
pub(crate) struct Sample {
    pub(crate) memory_kib: u64,
    pub(crate) descriptors: usize,
}

impl Served {
    pub(crate) async fn start() -> Result<Self, Error> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", &address.to_string()]).stdin(Stdio::null()).kill_on_drop(true);
        // glibc then gives back what is freed, instead of keeping it for later: what is left is in use.
        command.env("MALLOC_MMAP_THRESHOLD_", "4096").env("MALLOC_TRIM_THRESHOLD_", "65536");
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

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn sample(&self) -> Result<Sample, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|rest| rest.split_whitespace().next()).ok_or("it has no memory")?;
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.id))?.count();
        Ok(Sample { memory_kib: memory.parse()?, descriptors })
    }

    /// Asks it to end, which it must do in order.
    pub(crate) async fn stop(mut self) -> Result<(), Error> {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw).ok_or("the id is none")?;
        kill_process(id, Signal::TERM)?;
        let status = timeout(PATIENCE, self.child.wait()).await.map_err(|_| "the server does not end")??;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }
}

/// Lets this process, and the one that it starts, have as many descriptors as they may.
pub(crate) fn raise_descriptors() -> Result<(), Error> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(())
}
