//! A server in a process of its own, and the CPU time that it has used.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::Error;

/// A child of this program. It is killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
}

impl Server {
    /// Starts this program again with those arguments. Its standard input and output are pipes.
    ///
    /// # Errors
    ///
    /// When the system cannot.
    pub fn start(arguments: &[&str]) -> Result<Self, Error> {
        let child = Command::new(env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self { child })
    }

    /// Starts one that prints the port on which it listens.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn start_http(arguments: &[&str]) -> Result<(Self, u16), Error> {
        let mut server = Self::start(arguments)?;
        let (_, output) = server.pipes()?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let port = line.trim().parse().map_err(|_| format!("the server printed {line:?}, not a port"))?;
        Ok((server, port))
    }

    /// Its standard input and output, which can be taken once.
    ///
    /// # Errors
    ///
    /// When they have been taken.
    pub fn pipes(&mut self) -> Result<(ChildStdin, ChildStdout), Error> {
        let pipes = self.child.stdin.take().zip(self.child.stdout.take());
        pipes.ok_or_else(|| "the pipes have been taken".into())
    }

    /// The CPU time that its threads have used since they started.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn cpu_time(&self) -> Result<Duration, Error> {
        // The kernel settles a thread's account when it goes to sleep, which idle threads do at once.
        thread::sleep(Duration::from_millis(2));
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end meanwhile.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            let running = text.split_ascii_whitespace().next().and_then(|number| number.parse::<u64>().ok());
            nanos += running.ok_or("the kernel does not account for CPU time (CONFIG_SCHED_INFO)")?;
        }
        Ok(Duration::from_nanos(nanos))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails only if the process has ended, and that is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
