//! Reads files.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use cap_std::fs::File;
use sha2::{Digest, Sha256};

use crate::disk::Disk;
use crate::error::FilesystemError;
use crate::job::Job;
use crate::root::{Last, Located, Root};

/// A file that is open.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: File,
    pub(crate) len: u64,
    /// As callers write it.
    pub(crate) shown: String,
}

/// Some lines of a file.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) bytes: Vec<u8>,
    /// The number of the first that is missing at the end, if there is one.
    pub(crate) next: Option<u64>,
}

/// Opens a file that a caller names.
pub(crate) fn open(disk: &Disk, path: &str) -> Result<OpenFile, FilesystemError> {
    let (root, at) = disk.locate(path, Last::Follow)?;
    open_at(root, &at)
}

pub(crate) fn open_at(root: &Root, at: &Located) -> Result<OpenFile, FilesystemError> {
    let shown = root.show(&at.path);
    let (file, metadata) = at.open_file().map_err(|error| match error.kind() {
        std::io::ErrorKind::IsADirectory => {
            FilesystemError::Refused(format!("`{shown}` is a directory, not a file"))
        }
        std::io::ErrorKind::InvalidInput => FilesystemError::Refused(format!("`{shown}` is no plain file")),
        _ => FilesystemError::io(&shown, error),
    })?;
    Ok(OpenFile { file, len: metadata.len(), shown })
}

impl OpenFile {
    /// All of it, if it has no more than that many bytes.
    pub(crate) fn all(self, most: u64, job: &Job) -> Result<Vec<u8>, FilesystemError> {
        let too_large = |shown: &str| {
            FilesystemError::TooLarge(format!("`{shown}` has more than {most} bytes: read a part of it"))
        };
        if self.len > most {
            return Err(too_large(&self.shown));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.len).unwrap_or(0));
        // It may grow while it is read.
        let mut reader = job.reader(self.file.take(most + 1));
        reader.read_to_end(&mut bytes).map_err(|error| FilesystemError::io(&self.shown, error))?;
        if bytes.len() as u64 > most {
            return Err(too_large(&self.shown));
        }
        Ok(bytes)
    }

    /// The lines from one to another, both among them and counted from 1; as many as `most` bytes hold.
    pub(crate) fn lines(
        self,
        from: u64,
        to: Option<u64>,
        most: u64,
        job: &Job,
    ) -> Result<Lines, FilesystemError> {
        let mut reader = BufReader::with_capacity(64 << 10, job.reader(self.file));
        let failed = |error| FilesystemError::io(&self.shown, error);
        let (mut number, mut lines, mut room) = (1, Lines::default(), most);
        while to.is_none_or(|to| number <= to) {
            if number < from {
                if reader.skip_until(b'\n').map_err(failed)? == 0 {
                    break;
                }
            } else {
                let before = lines.bytes.len();
                let got =
                    reader.by_ref().take(room + 1).read_until(b'\n', &mut lines.bytes).map_err(failed)?;
                if got as u64 > room {
                    lines.bytes.truncate(before);
                    if before == 0 {
                        let message = format!("line {number} of `{}` has more than {most} bytes", self.shown);
                        return Err(FilesystemError::TooLarge(message));
                    }
                    lines.next = Some(number);
                    return Ok(lines);
                }
                if got == 0 {
                    return Ok(lines);
                }
                room -= got as u64;
            }
            number += 1;
        }
        if !reader.fill_buf().map_err(failed)?.is_empty() {
            lines.next = Some(number);
        }
        Ok(lines)
    }

    /// The last lines, as many as were asked for and `most` bytes hold; and whether there are others before them.
    pub(crate) fn tail(
        mut self,
        count: u64,
        most: u64,
        job: &Job,
    ) -> Result<(Vec<u8>, bool), FilesystemError> {
        const STEP: u64 = 64 << 10;
        let failed = |error| FilesystemError::io(&self.shown, error);
        let (mut at, mut bytes) = (self.len, Vec::new());
        loop {
            // The end of the last line begins no other.
            let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
            let start = usize::try_from(count - 1).ok().and_then(|skip| ends.clone().nth(skip));
            if let Some(start) = start {
                bytes.drain(..=start);
                return Ok((bytes, true));
            }
            if at == 0 {
                return Ok((bytes, false));
            }
            if bytes.len() as u64 >= most {
                let first = ends.min();
                let message = || format!("the last line of `{}` has more than {most} bytes", self.shown);
                bytes.drain(..=first.ok_or_else(|| FilesystemError::TooLarge(message()))?);
                return Ok((bytes, true));
            }
            job.check()?;
            let step = STEP.min(at).min(most - bytes.len() as u64);
            at -= step;
            let mut chunk = vec![0; usize::try_from(step).unwrap_or(0)];
            self.file.seek(SeekFrom::Start(at)).map_err(failed)?;
            self.file.read_exact(&mut chunk).map_err(failed)?;
            chunk.append(&mut bytes);
            bytes = chunk;
        }
    }

    /// The hash of all of it, however large it is.
    pub(crate) fn hash(self, job: &Job) -> Result<String, FilesystemError> {
        let mut hasher = Sha256::new();
        let (mut reader, mut chunk) = (job.reader(self.file), vec![0; 64 << 10]);
        loop {
            let got = reader.read(&mut chunk).map_err(|error| FilesystemError::io(&self.shown, error))?;
            if got == 0 {
                return Ok(hex(&hasher.finalize()));
            }
            hasher.update(&chunk[..got]);
        }
    }
}

/// What `if_match` is held against: SHA-256 in hexadecimal digits, as `sha256sum` writes it.
pub(crate) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

/// Bytes as text, and whether some were none and are replaced.
pub(crate) fn text(bytes: Vec<u8>) -> (String, bool) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
    }
}
