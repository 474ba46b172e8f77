//! A service over TCP that fails on demand: it takes a line and answers with one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A stock list that can be made to fail. A clone is a handle to the same.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    failures: AtomicU32,
    requests: AtomicUsize,
}

impl Upstream {
    /// Listens on a free loopback port until the process ends.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let upstream = Self { address: listener.local_addr()?, state: Arc::default() };
        let own = upstream.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let upstream = own.clone();
                // A client that goes away ends its own connection only.
                tokio::spawn(async move { drop(upstream.answer(stream).await) });
            }
        });
        Ok(upstream)
    }

    /// Cuts so many of the next requests off before it answers.
    pub(crate) fn fail(&self, requests: u32) {
        self.state.failures.store(requests, Ordering::SeqCst);
    }

    /// How many requests have arrived.
    pub(crate) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    async fn answer(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut item = String::new();
        stream.read_line(&mut item).await?;
        self.state.requests.fetch_add(1, Ordering::SeqCst);
        let one_less = |left: u32| left.checked_sub(1);
        if self.state.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        let answer = format!("{}: {} in stock\n", item.trim_end(), item.trim_end().len() * 7);
        stream.write_all(answer.as_bytes()).await
    }
}

/// Asks the upstream for an item.
pub(crate) async fn ask(address: SocketAddr, item: &str) -> io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    stream.write_all(format!("{item}\n").as_bytes()).await?;
    let mut answer = String::new();
    match stream.read_line(&mut answer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer.trim_end().to_owned()),
    }
}
