//! Lines of bounded length.

use std::io;
use std::mem;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much room a read has at least.
const CHUNK: usize = 16 * 1024;

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
    /// A line over the bound. It comes once, as soon as that is known.
    TooLong,
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
                return Ok(Some(if line.len() > self.max { Line::TooLong } else { Line::Text(line) }));
            }
            self.scanned = self.buffer.len();
            if self.skipping {
                self.buffer.clear();
                self.scanned = 0;
            } else if self.scanned > self.max {
                self.buffer.clear();
                self.scanned = 0;
                self.skipping = true;
                return Ok(Some(Line::TooLong));
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(input: &[&str], max: usize, expected: &[Option<&'static str>]) {
        let mut mock = tokio_test_reader(input);
        let mut lines = Lines::new(&mut mock, max);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        let text = |text: &'static str| Line::Text(Bytes::from_static(text.as_bytes()));
        let expected: Vec<Line> = expected.iter().map(|line| line.map_or(Line::TooLong, text)).collect();
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
        check(&["a\nb\n"], 10, &[Some("a"), Some("b")]).await;
        check(&["a", "b\n", "\nc"], 10, &[Some("ab"), Some(""), Some("c")]).await;
        check(&["a\r\n"], 10, &[Some("a\r")]).await;
        check(&[""], 10, &[]).await;
    }

    #[tokio::test]
    async fn a_long_line_is_told_once_and_skipped() {
        check(&["12345678\n1234\n"], 4, &[None, Some("1234")]).await;
        check(&["123", "45", "678", "9\n12", "34\n"], 4, &[None, Some("1234")]).await;
        check(&["12345", "6"], 4, &[None]).await;
        check(&["1234", "\n"], 4, &[Some("1234")]).await;
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
