//! Lines of bounded length.

use std::io;
use std::mem;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much room a read has at least.
const CHUNK: usize = 16 * 1024;
/// How much of a line that is too long is told.
const BEGINNING: usize = 4 * 1024;

/// Reads lines from a stream. Of a line that is too long, no more is kept than one read brings.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line break.
    scanned: usize,
    max: usize,
    skipping: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its break.
    Text(Bytes),
    /// The beginning of a line over the bound. It comes once, as soon as that is known.
    TooLong(Bytes),
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, max: usize) -> Self {
        Self { reader, buffer: BytesMut::with_capacity(CHUNK), scanned: 0, max, skipping: false }
    }

    /// The next line, or `None` at the end. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            while let Some(at) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) {
                let line = self.buffer.split_to(self.scanned + at + 1).freeze();
                self.scanned = 0;
                if mem::take(&mut self.skipping) {
                    continue;
                }
                let line = line.slice(..line.len() - 1);
                let is_too_long = line.len() > self.max;
                return Ok(Some(if is_too_long { too_long(&line) } else { Line::Text(line) }));
            }
            self.scanned = self.buffer.len();
            if self.skipping {
                self.buffer.clear();
                self.scanned = 0;
            } else if self.scanned > self.max {
                let line = too_long(&self.buffer);
                self.buffer.clear();
                self.scanned = 0;
                self.skipping = true;
                return Ok(Some(line));
            }
            self.buffer.reserve(CHUNK);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                let rest = self.buffer.split().freeze();
                self.scanned = 0;
                return Ok((!rest.is_empty()).then_some(Line::Text(rest)));
            }
        }
    }
}

fn too_long(line: &[u8]) -> Line {
    Line::TooLong(Bytes::copy_from_slice(&line[..line.len().min(BEGINNING)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines that are expected, and the beginnings of those that are too long.
    async fn check(input: &[&str], max: usize, expected: &[Result<&'static str, &'static str>]) {
        let mut mock = tokio_test_reader(input);
        let mut lines = Lines::new(&mut mock, max);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        let line = |line: &Result<_, _>| {
            line.map_or_else(|start| Line::TooLong(bytes(start)), |text| Line::Text(bytes(text)))
        };
        let expected: Vec<Line> = expected.iter().map(line).collect();
        assert_eq!(found, expected, "{input:?}");
    }

    /// A reader that gives one of the pieces per read.
    fn tokio_test_reader(pieces: &[&str]) -> impl AsyncRead + Unpin {
        let none: Box<dyn AsyncRead + Unpin> = Box::new(tokio::io::empty());
        pieces.iter().rev().fold(none, |rest, piece| {
            Box::new(AsyncReadExt::chain(io::Cursor::new(piece.as_bytes().to_vec()), rest))
        })
    }

    #[tokio::test]
    async fn lines_come_whole_however_they_are_cut() {
        check(&["a\nb\n"], 10, &[Ok("a"), Ok("b")]).await;
        check(&["a", "b\n", "\nc"], 10, &[Ok("ab"), Ok(""), Ok("c")]).await;
        check(&["a\r\n"], 10, &[Ok("a\r")]).await;
        check(&[""], 10, &[]).await;
    }

    #[tokio::test]
    async fn a_long_line_is_told_once_and_skipped() {
        check(&["12345678\n1234\n"], 4, &[Err("12345678"), Ok("1234")]).await;
        check(&["123", "45", "678", "9\n12", "34\n"], 4, &[Err("12345"), Ok("1234")]).await;
        check(&["12345", "6"], 4, &[Err("12345")]).await;
        check(&["1234", "\n"], 4, &[Ok("1234")]).await;
    }

    #[tokio::test]
    async fn a_long_line_takes_no_memory() {
        let piece = "x".repeat(64 * 1024);
        let pieces = [&*piece; 100];
        let mut reader = tokio_test_reader(&pieces);
        let mut lines = Lines::new(&mut reader, 1000);
        while lines.next().await.unwrap().is_some() {}
        assert!(lines.buffer.capacity() <= 2 * CHUNK, "{}", lines.buffer.capacity());
    }
}
