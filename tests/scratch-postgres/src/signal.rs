use std::fs;
use std::io;

use rustix::process::{Pid, Signal, kill_process};

use crate::Error;
use crate::error::Tried;

/// Signals one process.
pub(crate) fn signal_one(id: u32, signal: Signal) -> Result<(), Error> {
    let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) else { return Ok(()) };
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()), // gone is as good as signalled
        Err(error) => Err(io::Error::from(error)).tried("signal postgres"),
    }
}

/// The processes that `parent` started, from `/proc`.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let id: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // `id (name) state parent ...`, and a name may hold spaces and brackets
            let of: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            (of == parent).then_some(id)
        })
        .collect()
}
