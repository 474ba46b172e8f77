//! Stands between a client and a server over standard input and output, and keeps what they say.
//!
//! `tap DIRECTORY COMMAND [ARGUMENT]...` runs the command and writes one file into the directory, named by its process
//! id. Each line of the file is a line of the conversation behind `>` (to the server) or `<` (to the client).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::{env, thread};

fn main() -> io::Result<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    let (Some(directory), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("usage: tap DIRECTORY COMMAND [ARGUMENT]..."));
    };
    let path = std::path::Path::new(&directory).join(std::process::id().to_string());
    let record = Arc::new(Mutex::new(File::create(path)?));
    let mut child =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (to_server, from_server) = (child.stdin.take(), child.stdout.take());
    let (Some(to_server), Some(from_server)) = (to_server, from_server) else {
        return Err(io::Error::other("a pipe is missing"));
    };
    let input = Arc::clone(&record);
    // Detached: the process ends with the server, whether or not the client says more.
    thread::spawn(move || pass(io::stdin().lock(), to_server, '>', &input));
    pass(BufReader::new(from_server), io::stdout().lock(), '<', &record)?;
    let status = child.wait()?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255)))
}

/// Passes lines on, as they come and unchanged, until the source ends.
fn pass(mut from: impl BufRead, mut to: impl Write, mark: char, record: &Mutex<File>) -> io::Result<()> {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        {
            let mut record = record.lock().map_err(|_| io::Error::other("the record is broken"))?;
            write!(record, "{mark}")?;
            record.write_all(&line)?;
        }
        to.write_all(&line)?;
        to.flush()?;
        line.clear();
    }
    Ok(())
}
