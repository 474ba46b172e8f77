//! Strings, in which most of a message is.

use super::{ScanError, Scanner, Span};

impl Scanner<'_> {
    /// RFC 8259, section 7. The span includes the quotes.
    pub(super) fn string(&mut self) -> Result<Span, ScanError> {
        let start = self.at;
        self.at += 1;
        self.escaped = false;
        loop {
            let rest = &self.bytes[self.at..];
            let plain = plain_length(rest);
            let Some(special) = rest.get(plain) else {
                return Err(self.syntax("the text ends within a string"));
            };
            self.at += plain;
            match special {
                b'"' => break,
                b'\\' => {
                    self.escaped = true;
                    self.escape()?;
                }
                _ => return Err(self.syntax("a control character within a string must be escaped")),
            }
        }
        self.at += 1;
        if self.at - start > self.limits.max_string {
            return Err(ScanError::TooLarge("bytes in one string", self.limits.max_string));
        }
        Ok(start..self.at)
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let unit = self.code_unit(self.at)?;
                self.at += 6;
                match unit {
                    // A surrogate stands for nothing alone, and Rust strings cannot hold one.
                    0xD800..=0xDBFF => match self.code_unit(self.at) {
                        Ok(0xDC00..=0xDFFF) => {
                            self.at += 6;
                            Ok(())
                        }
                        _ => Err(self.syntax("half of a surrogate pair")),
                    },
                    0xDC00..=0xDFFF => Err(self.syntax("half of a surrogate pair")),
                    _ => Ok(()),
                }
            }
            _ => Err(self.syntax("an unknown escape")),
        }
    }

    /// The UTF-16 code unit that `\uXXXX` at this place stands for.
    fn code_unit(&self, at: usize) -> Result<u32, ScanError> {
        let error = || ScanError::Syntax("expected four hexadecimal digits after `\\u`", at);
        let escape = self.bytes.get(at..at + 6).ok_or_else(error)?;
        if !escape.starts_with(b"\\u") {
            return Err(error());
        }
        escape[2..].iter().try_fold(0, |unit, digit| {
            let digit = char::from(*digit).to_digit(16).ok_or_else(error)?;
            Ok(unit * 16 + digit)
        })
    }
}

/// How many bytes come before the first quote, backslash or control character. It looks at eight at once: most of a
/// message is within strings.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGHEST: u64 = ONES << 7;
    // The highest bit of a byte is set by a borrow if the byte was below what is taken from it, and that may set those of
    // later bytes, too: only the first counts. A byte that had it before is no ASCII, so it is plain.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit));
    let equal = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let (words, tail) = bytes.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let special = (below(word, 0x20) | equal(word, b'"') | equal(word, b'\\')) & !word & HIGHEST;
        if special != 0 {
            return n * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let plain = tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    bytes.len() - tail.len() + plain.unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_plain_or_special_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            let special = matches!(byte, b'"' | b'\\' | 0..0x20);
            for at in 0..20 {
                let mut text = [b'!', 0x20, 0x7F, 0x80, 0xFF, b'#', b'[', b']'].repeat(3);
                text.truncate(20);
                text[at] = byte;
                assert_eq!(plain_length(&text), if special { at } else { 20 }, "{byte} at {at}");
                text[at..].fill(byte);
                assert_eq!(plain_length(&text), if special { at } else { 20 }, "{byte} from {at}");
            }
        }
    }
}
