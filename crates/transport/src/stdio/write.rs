//! The one place from which a stream is written.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::Receiver;

use crate::line;

/// How many messages go into one write at most.
const BATCH: usize = 64;
/// A batch that has grown to this size is written before more is added.
const CHUNK: usize = 64 * 1024;
/// A buffer that has grown beyond this is given back.
const KEPT: usize = 1024 * 1024;

/// Writes each message on a line of its own, and what is there at the same time in one go, until all senders are gone.
pub(super) async fn write_all<W>(mut messages: Receiver<Bytes>, mut writer: W) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    let mut batch = Vec::with_capacity(BATCH);
    let mut buffer = Vec::new();
    while messages.recv_many(&mut batch, BATCH).await > 0 {
        for message in batch.drain(..) {
            line::push(&mut buffer, &message);
            buffer.push(b'\n');
            if buffer.len() >= CHUNK {
                writer.write_all(&buffer).await?;
                buffer.clear();
            }
        }
        writer.write_all(&buffer).await?;
        writer.flush().await?;
        buffer.clear();
        buffer.shrink_to(KEPT);
    }
    writer.shutdown().await
}
