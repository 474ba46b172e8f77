use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::Error;
use crate::error::Tried;

/// Ends what still runs and removes `$1` once its standard input closes, which the kernel sees to however
/// the owner ends.
///
/// A line on standard input names the process group to end; `0` means none. A process death signal
/// would not do: it is bound to the thread that started the child, and test threads end early.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
group=0
while read -r line; do group=$line; done
if [ "$group" -gt 1 ]; then
    kill -s CONT -- "-$group"
    if [ -e "$1/data/postmaster.pid" ]; then kill -s QUIT -- "-$group"; else kill -s KILL -- "-$group"; fi
    tries=0
    while [ -e "$1/data/postmaster.pid" ] && [ "$tries" -lt 80 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -s KILL -- "-$group"
fi 2>/dev/null
tries=0
until rm -rf "$1" || [ "$tries" -ge 20 ]; do sleep 0.1; tries=$((tries + 1)); done 2>/dev/null
"#;

/// The process that cleans up after its owner, also when that is killed.
#[derive(Debug)]
pub(crate) struct Watchdog {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Watchdog {
    pub(crate) fn start(directory: &Path) -> Result<Self, Error> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "scratch-postgres-watchdog"])
            .arg(directory)
            .current_dir("/")
            .process_group(0) // Ctrl-C is for the owner, not for the one who cleans up after it
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .tried("start a watchdog with /bin/sh")?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    /// Tells which process group to end; 0 for none.
    pub(crate) fn guard(&mut self, group: u32) {
        if let Some(stdin) = &mut self.stdin {
            let _ = writeln!(stdin, "{group}"); // a watchdog that someone killed is no reason to fail
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
