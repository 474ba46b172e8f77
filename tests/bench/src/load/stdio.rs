//! Lines over the pipes of a child process.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::time::Instant;

use super::{Batch, PATIENCE};
use crate::Error;
use crate::workload::Message;

/// The client of one server.
#[derive(Debug)]
pub struct StdioLoad {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    line: Vec<u8>,
}

impl StdioLoad {
    /// A client at those pipes.
    pub fn new((input, output): (ChildStdin, ChildStdout)) -> Self {
        Self { input, output: BufReader::with_capacity(256 * 1024, output), line: Vec::new() }
    }

    /// Sends one request and gives its answer.
    ///
    /// # Errors
    ///
    /// When the server ends.
    pub fn ask(&mut self, message: &Message) -> Result<Vec<u8>, Error> {
        self.input.write_all(message.line().with_id(0))?;
        self.read()?;
        Ok(self.line.clone())
    }

    /// Sends that many requests, with at most `in_flight` without an answer.
    ///
    /// # Errors
    ///
    /// When a request fails or the server takes longer than a minute.
    pub fn run(&mut self, message: &Message, requests: usize, in_flight: usize) -> Result<Batch, Error> {
        let mut line = message.line();
        let mut latencies = Vec::with_capacity(requests);
        let mut under_way = VecDeque::with_capacity(in_flight);
        let started = Instant::now();
        let mut ids = (0_u32..).take(requests);
        for id in ids.by_ref().take(in_flight) {
            under_way.push_back(Instant::now());
            self.input.write_all(line.with_id(id))?;
        }
        while let Some(sent) = under_way.pop_front() {
            self.read()?;
            // Answers come in any order; over a batch that changes nothing of the sum.
            latencies.push(sent.elapsed());
            if let Some(id) = ids.next() {
                under_way.push_back(Instant::now());
                self.input.write_all(line.with_id(id))?;
            }
            if started.elapsed() > PATIENCE {
                return Err("the server takes too long".into());
            }
        }
        Ok(Batch { elapsed: started.elapsed(), latencies })
    }

    fn read(&mut self) -> Result<(), Error> {
        self.line.clear();
        if self.output.read_until(b'\n', &mut self.line)? == 0 {
            return Err("the server has ended".into());
        }
        // Whoever serves writes the members of the envelope before or after the long one.
        let start = &self.line[..self.line.len().min(64)];
        if start.windows(8).any(|part| part == b"\"result\"") {
            return Ok(());
        }
        Err(format!("the server refused: {}", String::from_utf8_lossy(&self.line)).into())
    }
}
