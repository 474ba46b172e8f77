//! Standard input as a stream.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

const CHUNK: usize = 64 * 1024;

/// Standard input.
///
/// A pipe is opened anew, so that reading it without blocking concerns nobody else who has it. Anything else is read by
/// a thread.
pub(super) fn stdin() -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
    #[cfg(target_os = "linux")]
    if let Ok(pipe) = tokio::net::unix::pipe::OpenOptions::new().open_receiver("/proc/self/fd/0") {
        return Ok(Box::new(pipe));
    }
    Ok(Box::new(read_by_thread()?))
}

/// Tokio's own standard input reads on the runtime's blocking threads, for which the runtime waits when it ends: after a SIGTERM the
/// process would hang until its client wrote something. This thread is left behind instead.
fn read_by_thread() -> io::Result<Stdin> {
    let (sender, chunks) = mpsc::channel(2);
    let read = move || {
        let mut stdin = io::stdin().lock();
        let mut buffer = BytesMut::new();
        loop {
            buffer.resize(CHUNK, 0);
            let chunk = match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(len) => Ok(buffer.split_to(len).freeze()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = chunk.is_err();
            if sender.blocking_send(chunk).is_err() || failed {
                return;
            }
        }
    };
    std::thread::Builder::new().name("stdin".into()).spawn(read)?;
    Ok(Stdin { chunks, current: Bytes::new() })
}

#[derive(Debug)]
struct Stdin {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl AsyncRead for Stdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.current.is_empty() {
            match ready!(self.chunks.poll_recv(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(chunk) => self.current = chunk?,
            }
        }
        let len = self.current.len().min(out.remaining());
        out.put_slice(&self.current[..len]);
        self.current.advance(len);
        Poll::Ready(Ok(()))
    }
}
