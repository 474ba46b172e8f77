//! Lines of bounded length.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much room a read has at least.
const CHUNK: usize = 16 * 1024;
/// How much of the beginning of a line that is too long is told.
const BEGINNING: usize = 4 * 1024;
/// How much of its end.
const END: usize = 1024;

/// Reads lines from a stream. Of a line that is too long, no more is kept than one read brings, and its ends.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line break.
    scanned: usize,
    max: usize,
    /// The line that is being skipped.
    cut: Option<Cut>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line without its break.
    Text(Bytes),
    /// What is kept of a line over the bound. It comes when the line has ended.
    TooLong(Cut),
}

/// The ends of a line. They may overlap.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) beginning: Vec<u8>,
    pub(super) end: Vec<u8>,
}

impl Cut {
    fn new(part: &[u8]) -> Self {
        let beginning = part[..part.len().min(BEGINNING)].to_vec();
        let end = part[part.len().saturating_sub(END)..].to_vec();
        Self { beginning, end }
    }

    fn go_on(mut self, part: &[u8]) -> Self {
        let part = &part[part.len().saturating_sub(END)..];
        let surplus = (self.end.len() + part.len()).saturating_sub(END);
        self.end.drain(..surplus);
        self.end.extend_from_slice(part);
        self
    }
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, max: usize) -> Self {
        Self { reader, buffer: BytesMut::with_capacity(CHUNK), scanned: 0, max, cut: None }
    }

    /// The next line, or `None` at the end. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) {
                let line = self.buffer.split_to(self.scanned + at + 1).freeze();
                self.scanned = 0;
                return Ok(Some(self.line(line.slice(..line.len() - 1))));
            }
            self.scanned = self.buffer.len();
            if self.cut.is_some() || self.scanned > self.max {
                self.cut = Some(cut(self.cut.take(), &self.buffer));
                self.buffer.clear();
                self.scanned = 0;
            }
            self.buffer.reserve(CHUNK);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                let rest = self.buffer.split().freeze();
                self.scanned = 0;
                let is_line = self.cut.is_some() || !rest.is_empty();
                return Ok(is_line.then(|| self.line(rest)));
            }
        }
    }

    /// A line that ends with this.
    fn line(&mut self, rest: Bytes) -> Line {
        match self.cut.take() {
            None if rest.len() <= self.max => Line::Text(rest),
            skipped => Line::TooLong(cut(skipped, &rest)),
        }
    }
}

fn cut(skipped: Option<Cut>, part: &[u8]) -> Cut {
    match skipped {
        Some(cut) => cut.go_on(part),
        None => Cut::new(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines that are expected, and what is kept of both ends of those that are too long.
    async fn check(
        input: &[&str],
        max: usize,
        expected: &[Result<&'static str, (&'static str, &'static str)>],
    ) {
        let mut mock = tokio_test_reader(input);
        let mut lines = Lines::new(&mut mock, max);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        let line = |line: &Result<&'static str, (&str, &str)>| match line {
            Ok(text) => Line::Text(Bytes::from_static(text.as_bytes())),
            Err((beginning, end)) => {
                Line::TooLong(Cut { beginning: (*beginning).into(), end: (*end).into() })
            }
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
        check(&["12345678\n1234\n"], 4, &[Err(("12345678", "12345678")), Ok("1234")]).await;
        check(&["123", "45", "678", "9\n12", "34\n"], 4, &[Err(("12345", "123456789")), Ok("1234")]).await;
        check(&["12345", "6"], 4, &[Err(("12345", "123456"))]).await;
        check(&["12345"], 4, &[Err(("12345", "12345"))]).await;
        check(&["1234", "\n"], 4, &[Ok("1234")]).await;
    }

    #[tokio::test]
    async fn a_long_line_takes_no_memory() {
        let piece = "x".repeat(64 * 1024);
        let pieces: Vec<&str> = std::iter::repeat_n(&*piece, 100).chain(["the end"]).collect();
        let mut reader = tokio_test_reader(&pieces);
        let mut lines = Lines::new(&mut reader, 1000);
        let Some(Line::TooLong(cut)) = lines.next().await.unwrap() else { panic!("not too long") };
        assert_eq!((cut.beginning.len(), cut.end.len()), (BEGINNING, END));
        assert!(cut.end.ends_with(b"xthe end"));
        assert_eq!(lines.next().await.unwrap(), None);
        assert!(lines.buffer.capacity() <= 2 * CHUNK, "{}", lines.buffer.capacity());
    }
}
