//! What an answer depends on, as bytes: two calls have the same key only if they ask for the same.
//!
//! Arguments are written in a form of their own, not in RFC 8785's, whose numbers are 64-bit floats: there, 2^53 and
//! 2^53 + 1 are the same number, and two rows would share an answer. Each value begins with a tag, strings and
//! numbers tell their length, and members of objects are sorted by their names' bytes. Numbers keep the digits in
//! which they were written, so `1`, `1.0` and `1.00` differ, as they may to a tool; only `-0` is `0`.

use std::ops::Range;
use std::sync::Arc;

use towline_core::Operation;

use super::policy::CacheScope;

/// The key of an answer.
pub(super) type Key = Arc<[u8]>;

/// Deeper arguments have no key. The limits of requests allow far less; those of calls made in code may allow more.
const MAX_DEPTH: usize = 128;

/// The key of the answer to `request` by the service `service`. `None` if its arguments are no JSON, or nested too
/// deep.
pub(super) fn of<Req: Operation>(service: u64, scope: CacheScope, request: &Req) -> Option<Vec<u8>> {
    let arguments = request.arguments().map_or("", |json| json.as_str());
    let mut key = Vec::with_capacity(arguments.len() + 96);
    key.extend_from_slice(&service.to_le_bytes());
    write_text(&mut key, b't', request.name().as_bytes())?;
    match (scope, request.context().principal()) {
        (CacheScope::Shared, _) => key.push(b'*'),
        (CacheScope::Principal, None) => key.push(b'-'),
        (CacheScope::Principal, Some(principal)) => write_text(&mut key, b'p', principal.id().as_bytes())?,
    }
    if !arguments.is_empty() {
        write_json(&mut key, arguments)?;
    }
    Some(key)
}

fn write_json(out: &mut Vec<u8>, text: &str) -> Option<()> {
    let mut scanner = Scanner { text: text.as_bytes(), at: 0 };
    scanner.value(out, MAX_DEPTH)?;
    scanner.skip_space();
    (scanner.at == text.len()).then_some(())
}

fn write_text(out: &mut Vec<u8>, tag: u8, text: &[u8]) -> Option<()> {
    out.push(tag);
    out.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
    out.extend_from_slice(text);
    Some(())
}

/// Where a member of an object stands in what is written.
struct Member {
    name: Range<usize>,
    whole: Range<usize>,
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        self.skip_space();
        match self.peek()? {
            b'{' => self.object(out, depth.checked_sub(1)?),
            b'[' => self.array(out, depth.checked_sub(1)?),
            b'"' => self.string(out, b's').map(drop),
            b't' => self.word(out, "true"),
            b'f' => self.word(out, "false"),
            b'n' => self.word(out, "null"),
            _ => self.number(out),
        }
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        self.at += 1;
        out.push(b'{');
        let start = out.len();
        let mut members: Vec<Member> = Vec::new();
        let mut is_sorted = true;
        self.skip_space();
        while self.peek()? != b'}' {
            if !members.is_empty() {
                self.take(b',')?;
                self.skip_space();
            }
            let begin = out.len();
            let name = self.string(out, b'm')?;
            self.skip_space();
            self.take(b':')?;
            self.value(out, depth)?;
            is_sorted &= members.last().is_none_or(|last| out[last.name.clone()] <= out[name.clone()]);
            members.push(Member { name, whole: begin..out.len() });
            self.skip_space();
        }
        self.at += 1;
        if !is_sorted {
            sort(out, start, &mut members);
        }
        out.push(b'}');
        Some(())
    }

    fn array(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        self.at += 1;
        out.push(b'[');
        let start = out.len();
        self.skip_space();
        while self.peek()? != b']' {
            if out.len() > start {
                self.take(b',')?;
            }
            self.value(out, depth)?;
            self.skip_space();
        }
        self.at += 1;
        out.push(b']');
        Some(())
    }

    /// Writes a string without its escapes, and tells where it stands.
    fn string(&mut self, out: &mut Vec<u8>, tag: u8) -> Option<Range<usize>> {
        self.take(b'"')?;
        out.push(tag);
        let length_at = out.len();
        out.extend_from_slice(&[0; 4]);
        let start = out.len();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            out.extend_from_slice(&rest[..plain]);
            self.at += plain + 1;
            if rest[plain] == b'"' {
                break;
            }
            self.escape(out)?;
        }
        let length = u32::try_from(out.len() - start).ok()?;
        out[length_at..start].copy_from_slice(&length.to_le_bytes());
        Some(start..out.len())
    }

    /// Writes what an escape stands for. Half a surrogate pair has no character, so it is written as UTF-8 would
    /// write it if it had one (WTF-8), which no string has.
    fn escape(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let escape = self.peek()?;
        self.at += 1;
        out.push(match escape {
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(out),
            b'"' | b'\\' | b'/' => escape,
            _ => return None,
        });
        Some(())
    }

    fn unicode(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let mut code = self.hex()?;
        if (0xD800..0xDC00).contains(&code) && self.text[self.at..].starts_with(b"\\u") {
            let after_first = self.at;
            self.at += 2;
            match self.hex()? {
                low @ 0xDC00..0xE000 => code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00),
                _ => self.at = after_first,
            }
        }
        match char::from_u32(code) {
            Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            None => out.extend(
                [0xE0 | (code >> 12), 0x80 | (code >> 6 & 0x3F), 0x80 | (code & 0x3F)].map(|byte| byte as u8),
            ),
        }
        Some(())
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
    }

    fn number(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let rest = &self.text[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        if length == 0 {
            return None;
        }
        self.at += length;
        let digits = if &rest[..length] == b"-0" { b"0" } else { &rest[..length] };
        write_text(out, b'd', digits)
    }

    fn word(&mut self, out: &mut Vec<u8>, word: &str) -> Option<()> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return None;
        }
        self.at += word.len();
        out.push(word.as_bytes()[0]);
        Some(())
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }
}

/// Sorts the members of an object that have been written from `start` on. Members of one name stay in order.
fn sort(out: &mut Vec<u8>, start: usize, members: &mut [Member]) {
    members.sort_by(|one, other| out[one.name.clone()].cmp(&out[other.name.clone()]));
    let mut sorted = Vec::with_capacity(out.len() - start);
    for member in members {
        sorted.extend_from_slice(&out[member.whole.clone()]);
    }
    out.truncate(start);
    out.extend_from_slice(&sorted);
}
