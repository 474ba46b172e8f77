use std::env;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::report::{self, Failure};

/// Signals a process, or the group that it leads.
type Kill = fn(Pid, Signal) -> rustix::io::Result<()>;

const POLL: Duration = Duration::from_millis(30);
/// How long a process may take to end when asked; longer than a server needs to drain.
const PATIENCE: Duration = Duration::from_secs(15);

/// Knows whether the user wants to stop: by Ctrl-C, a closed terminal, or `kill`.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(crate) fn install() -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag))
                .map_err(Failure::io("listen for Ctrl-C"))?;
        }
        Ok(Self(flag))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Turns whatever happened into [`Failure::Interrupted`] when the user wants to stop: children get Ctrl-C as
    /// well, and what they then complain of is no news.
    pub(crate) fn check<T>(&self, outcome: Result<T, impl Into<Failure>>) -> Result<T, Failure> {
        if self.is_set() { Err(Failure::Interrupted) } else { outcome.map_err(Into::into) }
    }

    /// Runs cargo to its end. When the user stops, all that it started ends with it, tests too.
    pub(crate) fn run_cargo(&self, command: &mut Command) -> Result<(), Failure> {
        self.run_until_end(command.process_group(0).stdin(Stdio::null()), kill_process_group)
    }

    /// Runs a command to its end, with the terminal as its own: it may ask for a password.
    pub(crate) fn run(&self, command: &mut Command) -> Result<(), Failure> {
        self.run_until_end(command, kill_process)
    }

    fn run_until_end(&self, command: &mut Command, kill: Kill) -> Result<(), Failure> {
        let name = Path::new(command.get_program()).display().to_string();
        let mut child = command.spawn().map_err(Failure::io(format!("start `{name}`")))?;
        loop {
            if let Some(status) = child.try_wait().map_err(Failure::io(format!("wait for `{name}`")))? {
                let outcome = if status.success() { Ok(()) } else { Err(failed(&name, status)) };
                return self.check(outcome);
            }
            if self.is_set() {
                end(&mut child, kill);
                return Err(Failure::Interrupted);
            }
            thread::sleep(POLL);
        }
    }
}

fn failed(name: &str, status: ExitStatus) -> Failure {
    Failure::Message(format!("`{name}` ended with {status}"))
}

/// Cargo, the one that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::root());
    // What cargo told us about our own package: build scripts that look at it would run again after every change
    // from `cargo xtask` to plain cargo and back.
    for (name, _) in env::vars_os() {
        let is_ours = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_BIN_NAME"
        });
        if is_ours {
            command.env_remove(name);
        }
    }
    command
}

/// Whether a program is in `PATH`.
pub(crate) fn exists(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// A process in the background that ends with this value.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
    log: Arc<Mutex<Log>>,
}

/// What the process wrote on stderr: kept until it is to be shown.
#[derive(Debug, Default)]
struct Log {
    shown: bool,
    kept: Vec<String>,
}

impl Background {
    pub(crate) fn start(program: &Path, configure: impl FnOnce(&mut Command)) -> io::Result<Self> {
        // Should we be killed, the kernel ends it. (Bound to this thread, which lives as long as we do.)
        let mut command = if exists("setpriv") {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "TERM"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        configure(&mut command);
        // A group of its own: Ctrl-C is for us, and we end it in order.
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Arc::new(Mutex::new(Log::default()));
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    if log.shown { report::note(line) } else { log.kept.push(line) }
                }
            });
        }
        Ok(Self { child, log })
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Shows what it wrote so far.
    pub(crate) fn show_log(&self) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.kept.drain(..).for_each(report::note);
    }

    /// Shows each line from now on as it comes, and none of those before.
    pub(crate) fn follow_log(&self) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.kept.clear();
        log.shown = true;
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        end(&mut self.child, kill_process);
    }
}

/// Asks a process, or the group that it leads, to end, and makes it when it does not.
fn end(child: &mut Child, kill: Kill) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
        && matches!(child.try_wait(), Ok(None))
    {
        let _ = kill(pid, Signal::TERM);
    }
    let deadline = Instant::now() + PATIENCE;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interrupt(set: bool) -> Interrupt {
        Interrupt(Arc::new(AtomicBool::new(set)))
    }

    #[test]
    fn a_failing_command_is_named() {
        let error = interrupt(false).run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh` ended with exit status: 3");
    }

    #[test]
    fn an_interrupt_ends_a_command() {
        let started = Instant::now();
        let outcome = interrupt(true).run(Command::new("sleep").arg("30"));
        assert!(matches!(outcome, Err(Failure::Interrupted)), "{outcome:?}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn an_interrupt_ends_what_cargo_started_too() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 30 & sleep 30"]).stdout(writer);
        assert!(matches!(interrupt(true).run_cargo(&mut command), Err(Failure::Interrupted)));

        drop(command); // it holds our end of the pipe, which closes when the last process is gone
        let started = Instant::now();
        assert_eq!(io::Read::read(&mut reader, &mut [0]).unwrap(), 0);
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_background_process_ends_when_dropped() {
        let started = Instant::now();
        let mut sleep = Background::start(Path::new("sleep"), |command| _ = command.arg("30")).unwrap();
        assert!(!sleep.has_ended());
        drop(sleep);
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
