//! Streams that are slow, and streams that break.

use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

pin_project! {
    /// Reads a few bytes at a time, with a pause before each: the client that makes a server wait.
    #[derive(Debug)]
    pub struct SlowReader<R> {
        #[pin] inner: R,
        #[pin] sleep: Sleep,
        bytes: NonZeroUsize,
        pause: Duration,
    }
}

impl<R> SlowReader<R> {
    /// Reads so many bytes at most after each pause.
    ///
    /// It is boxed, because most readers must be [`Unpin`].
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn new(inner: R, bytes: NonZeroUsize, pause: Duration) -> Pin<Box<Self>> {
        Box::pin(Self { inner, sleep: sleep(pause), bytes, pause })
    }
}

impl<R: AsyncRead> AsyncRead for SlowReader<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut this = self.project();
        ready!(this.sleep.as_mut().poll(cx));
        let mut few = [0; 1024];
        let room = this.bytes.get().min(few.len()).min(buffer.remaining());
        let mut part = ReadBuf::new(&mut few[..room]);
        ready!(this.inner.poll_read(cx, &mut part))?;
        buffer.put_slice(part.filled());
        this.sleep.reset(Instant::now() + *this.pause);
        Poll::Ready(Ok(()))
    }
}

pin_project! {
    /// A stream that ends once so many bytes have gone through, in the middle of a message if that is where it is.
    #[derive(Debug)]
    pub struct Disconnect<T> {
        #[pin] inner: T,
        left: usize,
    }
}

impl<T> Disconnect<T> {
    /// Lets so many bytes through.
    pub fn after(bytes: usize, inner: T) -> Self {
        Self { inner, left: bytes }
    }
}

impl<R: AsyncRead> AsyncRead for Disconnect<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        let mut few = [0; 1024];
        let room = (*this.left).min(few.len()).min(buffer.remaining());
        if room == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut part = ReadBuf::new(&mut few[..room]);
        ready!(this.inner.poll_read(cx, &mut part))?;
        *this.left -= part.filled().len();
        buffer.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite> AsyncWrite for Disconnect<W> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        if *this.left == 0 && !bytes.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = (*this.left).min(bytes.len());
        let written = ready!(this.inner.poll_write(cx, &bytes[..room]))?;
        *this.left -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(cx)
    }
}
