//! The one place from which a stream is written.

use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;

use crate::line;

/// How many messages wait to be written before those who send them wait too.
const WAITING: usize = 64;
/// A batch that has grown to this size is written before more is added.
const CHUNK: usize = 64 * 1024;
/// A buffer that has grown beyond this is given back.
const KEPT: usize = 1024 * 1024;

/// Where messages go. Each is written on a line of its own, and what waits at the same time in one go, until all senders
/// are gone.
pub(super) struct Output {
    pub(super) sender: Sender<Bytes>,
    /// How writing ended. Dropping it ends it, if anything can.
    pub(super) written: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
}

impl Output {
    /// Writes to a stream.
    pub(super) fn to<W: AsyncWrite + Send + Unpin + 'static>(writer: W) -> Self {
        let (sender, messages) = mpsc::channel(WAITING);
        let mut task = AbortOnDrop(tokio::spawn(write_all(messages, writer)));
        let written = async move { (&mut task.0).await.map_err(io::Error::other)? };
        Self { sender, written: Box::pin(written) }
    }

    /// Writes to standard output. A pipe is opened anew, so that writing to it without blocking concerns nobody else who
    /// has it. Anything else is written to by a thread: tokio's own standard output starts a task for each write.
    pub(super) fn stdout() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Ok(pipe) = tokio::net::unix::pipe::OpenOptions::new().open_sender("/proc/self/fd/1") {
            return Ok(Self::to(pipe));
        }
        Self::write_by_thread()
    }

    fn write_by_thread() -> io::Result<Self> {
        let (sender, messages) = mpsc::channel(WAITING);
        let (done, ended) = oneshot::channel();
        let write = move || {
            // Nobody waits for it any more when the session is gone.
            let _ = done.send(write_stdout(messages));
        };
        std::thread::Builder::new().name("stdout".into()).spawn(write)?;
        let written = async { ended.await.map_err(io::Error::other)? };
        Ok(Self { sender, written: Box::pin(written) })
    }
}

fn write_stdout(mut messages: Receiver<Bytes>) -> io::Result<()> {
    let mut batch = Batch::default();
    while let Some(message) = messages.blocking_recv() {
        batch.fill(&message, &mut messages);
        let mut stdout = io::stdout().lock();
        stdout.write_all(&batch.0)?;
        stdout.flush()?;
        batch.clear();
    }
    Ok(())
}

async fn write_all<W>(mut messages: Receiver<Bytes>, mut writer: W) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    let mut batch = Batch::default();
    while let Some(message) = messages.recv().await {
        batch.fill(&message, &mut messages);
        writer.write_all(&batch.0).await?;
        writer.flush().await?;
        batch.clear();
    }
    writer.shutdown().await
}

#[derive(Default)]
struct Batch(Vec<u8>);

impl Batch {
    /// Adds a message, and those that wait behind it.
    fn fill(&mut self, first: &[u8], rest: &mut Receiver<Bytes>) {
        self.push(first);
        while self.0.len() < CHUNK
            && let Ok(message) = rest.try_recv()
        {
            self.push(&message);
        }
    }

    fn push(&mut self, message: &[u8]) {
        line::push(&mut self.0, message);
        self.0.push(b'\n');
    }

    fn clear(&mut self) {
        self.0.clear();
        self.0.shrink_to(KEPT);
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
