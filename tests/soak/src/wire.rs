//! As much of HTTP/1.1 and of event streams as the clients here need.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::Error;

/// A connection that is kept from request to request.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    buffer: Vec<u8>,
}

/// How a response begins.
#[derive(Debug)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// The session that begins with it.
    pub session: Option<String>,
    length: Option<usize>,
    is_stream: bool,
}

/// The events of a response, as they come.
#[derive(Debug)]
pub struct Events<'a> {
    connection: &'a mut Connection,
    text: Vec<u8>,
    is_done: bool,
}

impl Connection {
    /// Connects from one of many addresses of this machine, since a server bounds what it does for one.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self, Error> {
        Self::through(TcpSocket::new_v4()?, address).await
    }

    /// One that can hold little of what it does not read.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub async fn open_narrow(address: SocketAddr) -> Result<Self, Error> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        Self::through(socket, address).await
    }

    async fn through(socket: TcpSocket, address: SocketAddr) -> Result<Self, Error> {
        socket.bind((Ipv4Addr::new(127, 0, fastrand::u8(1..), fastrand::u8(1..)), 0).into())?;
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address, buffer: Vec::new() })
    }

    /// Sends a request of any kind to the endpoint.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub async fn send(&mut self, method: &str, headers: &str, body: &str) -> Result<(), Error> {
        let request = format!(
            "{method} /mcp HTTP/1.1\r\nHost: {}\r\nAccept: application/json, text/event-stream\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        );
        self.write(request.as_bytes()).await
    }

    /// Sends a JSON-RPC request of the latest revision. `name` is what it is about, as the tool that is called.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub async fn ask(
        &mut self,
        method: &str,
        name: Option<&str>,
        mut params: Value,
        id: u64,
    ) -> Result<(), Error> {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let name = name.map(|name| format!("Mcp-Name: {name}\r\n")).unwrap_or_default();
        let headers = format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n{name}");
        self.send("POST", &headers, &body.to_string()).await
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Reads the head of a response.
    ///
    /// # Errors
    ///
    /// When the connection ends before, or that is no HTTP.
    pub async fn head(&mut self) -> Result<Head, Error> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut response = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(end) = response.parse(&self.buffer)? {
                let find = |name: &str| {
                    let header =
                        response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
                    std::str::from_utf8(header.value).ok()
                };
                let head = Head {
                    status: response.code.unwrap_or_default(),
                    session: find("mcp-session-id").map(str::to_owned),
                    length: find("content-length").and_then(|length| length.parse().ok()),
                    is_stream: find("content-type") == Some("text/event-stream"),
                };
                self.buffer.drain(..end);
                return Ok(head);
            }
            self.fill().await?;
        }
    }

    /// The messages of a response, to its end: one of JSON, or those of a stream.
    ///
    /// # Errors
    ///
    /// When the status is not 200, or the response is cut off.
    pub async fn messages(&mut self) -> Result<Vec<Value>, Error> {
        let head = self.head().await?;
        let mut messages = Vec::new();
        if head.is_stream {
            let mut events = self.events();
            while let Some(message) = events.next().await? {
                messages.push(message);
            }
        } else {
            let body = self.body(&head).await?;
            messages.push(serde_json::from_slice(&body)?);
        }
        if head.status == 200 { Ok(messages) } else { Err(format!("{}: {messages:?}", head.status).into()) }
    }

    /// The body of a response that has a length.
    ///
    /// # Errors
    ///
    /// When it is cut off.
    pub async fn body(&mut self, head: &Head) -> Result<Vec<u8>, Error> {
        let length = head.length.unwrap_or_default();
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    /// The events of a response that is a stream, behind its head.
    pub fn events(&mut self) -> Events<'_> {
        Events { connection: self, text: Vec::new(), is_done: false }
    }

    /// A chunk of a body. The last one is empty.
    async fn chunk(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            if let httparse::Status::Complete((start, length)) =
                httparse::parse_chunk_size(&self.buffer).map_err(|_| "a chunk has no length")?
            {
                let end = start + usize::try_from(length)? + 2;
                while self.buffer.len() < end {
                    self.fill().await?;
                }
                let chunk = self.buffer[start..end - 2].to_vec();
                self.buffer.drain(..end);
                return Ok(chunk);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), Error> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }
}

impl Events<'_> {
    /// The next message. `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// When the stream is cut off.
    pub async fn next(&mut self) -> Result<Option<Value>, Error> {
        loop {
            while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.text.drain(..end + 2).collect();
                let event = std::str::from_utf8(&event)?;
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                if let Some(data) = data.filter(|data| !data.is_empty()) {
                    return Ok(Some(serde_json::from_str(data)?));
                }
            }
            if self.is_done {
                return if self.text.is_empty() { Ok(None) } else { Err("an event is cut off".into()) };
            }
            let chunk = self.connection.chunk().await?;
            self.is_done = chunk.is_empty();
            self.text.extend(chunk);
        }
    }
}

/// The status and the body of the answer to a GET.
///
/// # Errors
///
/// When nobody listens, or that is no HTTP.
pub async fn get(address: SocketAddr, path: &str) -> Result<(u16, String), Error> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("that is no HTTP")?;
    let status = head.split(' ').nth(1).ok_or("that is no HTTP")?.parse()?;
    Ok((status, body.to_owned()))
}
