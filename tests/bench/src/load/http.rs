//! HTTP/1.1 over connections that are kept, without pipelining.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::{Batch, PATIENCE};
use crate::Error;
use crate::workload::{Message, Numbered};

/// Clients of one server, each with a connection of its own.
#[derive(Debug)]
pub struct HttpLoad {
    runtime: Runtime,
    connections: Vec<Connection>,
}

impl HttpLoad {
    /// Connects to a port of this machine.
    ///
    /// # Errors
    ///
    /// When nobody listens there.
    pub fn connect(port: u16, connections: usize) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let connect = (0..connections).map(|_| Connection::open(address));
        let connections = runtime.block_on(try_join_all(connect))?;
        Ok(Self { runtime, connections })
    }

    /// Sends one request and gives the body of its answer.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn ask(&mut self, message: &Message) -> Result<Vec<u8>, Error> {
        let connection = self.connections.first_mut().ok_or("there is no connection")?;
        let mut message = message.http();
        self.runtime
            .block_on(async { timeout(PATIENCE, connection.exchange(message.with_id(0))).await })??;
        Ok(connection.body()?.to_vec())
    }

    /// Sends that many requests over all connections at once.
    ///
    /// # Errors
    ///
    /// When a request fails or the server takes longer than a minute.
    pub fn run(&mut self, message: &Message, requests: usize) -> Result<Batch, Error> {
        let each = requests.div_ceil(self.connections.len());
        let clients = self.connections.iter_mut().enumerate().map(|(n, connection)| {
            let first = u32::try_from(n * each).unwrap_or_default();
            connection.run(message.http(), first, each)
        });
        let started = Instant::now();
        let latencies = self.runtime.block_on(async { timeout(PATIENCE, try_join_all(clients)).await })??;
        Ok(Batch { elapsed: started.elapsed(), latencies: latencies.concat() })
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    head: usize,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(64 * 1024), head: 0 })
    }

    async fn run(
        &mut self,
        mut message: Numbered,
        first: u32,
        requests: usize,
    ) -> Result<Vec<Duration>, Error> {
        let mut latencies = Vec::with_capacity(requests);
        for id in (first..).take(requests) {
            let started = Instant::now();
            self.exchange(message.with_id(id)).await?;
            latencies.push(started.elapsed());
        }
        Ok(latencies)
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<(), Error> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        while !self.is_complete()? {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err("the server closed the connection".into());
            }
        }
        Ok(())
    }

    fn is_complete(&mut self) -> Result<bool, Error> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head) = response.parse(&self.answer)? else { return Ok(false) };
        if response.code != Some(200) {
            let answer = String::from_utf8_lossy(&self.answer);
            return Err(format!("the server refused: {answer}").into());
        }
        self.head = head;
        let length =
            response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        match length {
            Some(length) => {
                Ok(self.answer.len() >= head + std::str::from_utf8(length.value)?.parse::<usize>()?)
            }
            None => Ok(self.answer.ends_with(b"\r\n0\r\n\r\n")),
        }
    }

    fn body(&self) -> Result<&[u8], Error> {
        let body = &self.answer[self.head..];
        if body.starts_with(b"{") { Ok(body) } else { Err("the answer is not JSON with a length".into()) }
    }
}
