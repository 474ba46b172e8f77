//! One pass over JSON text: is it valid, is it within bounds, and where are the members that matter?
//!
//! serde_json bounds depth but not width: four megabytes of `[{"":0},..]` become 400 MB of values. So nothing is
//! built before this pass has counted what there is. It also refuses a key that stands twice in an object, of which
//! parsers keep one or the other: what one of them checks, another would not run.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;

mod string;

/// Bounds on one message. What is over them is refused before anything is built from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Objects and arrays within each other, the message itself included. Default: 32. At most 128.
    pub max_depth: usize,
    /// Values in all: objects, arrays, strings, numbers, literals. Default: 10,000.
    pub max_nodes: usize,
    /// Members of one object. Default: 1,000.
    pub max_members: usize,
    /// Bytes of one string as written. Default: 256 KiB.
    pub max_string: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_depth: 32, max_nodes: 10_000, max_members: 1_000, max_string: 256 * 1024 }
    }
}

/// The scanner recurses once per level, so no configuration may ask for more than the stack has.
const DEPTH_CEILING: usize = 128;

/// As many keys as a usual request has open at once, so that the list does not grow.
const TYPICAL_KEYS: usize = 24;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ScanError {
    /// Not JSON: what was wrong, and at which byte.
    Syntax(&'static str, usize),
    /// JSON, but over a bound.
    TooLarge(&'static str, usize),
    /// A key that stands twice in one object.
    Duplicate(String),
}

pub(super) type Span = Range<usize>;

pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    depth: usize,
    nodes: usize,
    limits: Limits,
    /// The keys of all objects that are open, innermost last.
    keys: Vec<Span>,
    /// Whether the last string had an escape in it.
    escaped: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, limits: &Limits) -> Self {
        let limits = Limits { max_depth: limits.max_depth.min(DEPTH_CEILING), ..*limits };
        Self {
            bytes: text.as_bytes(),
            text,
            at: 0,
            depth: 0,
            nodes: 0,
            limits,
            keys: Vec::with_capacity(TYPICAL_KEYS),
            escaped: false,
        }
    }

    /// The next byte that is no white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                other => return Some(*other),
            }
        }
        None
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<(), ScanError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.syntax("text after the end of the message")),
        }
    }

    /// Passes over one value of any kind and tells where it stood.
    pub(super) fn value(&mut self) -> Result<Span, ScanError> {
        match self.peek() {
            Some(b'{') => self.members(|scanner, _| scanner.value().map(drop)),
            Some(b'[') => self.array(),
            Some(first) => self.scalar(first),
            None => Err(self.syntax("the text ends within a value")),
        }
    }

    /// Passes over an object. For each member, `on_member` gets the key and must pass over the value.
    pub(super) fn members(
        &mut self,
        mut on_member: impl FnMut(&mut Self, &str) -> Result<(), ScanError>,
    ) -> Result<Span, ScanError> {
        let start = self.enter()?;
        let first_key = self.keys.len();
        let mut traits = Traits::default();
        let mut may_repeat = false;
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(self.syntax("expected a key in quotes"));
                }
                let span = self.string()?;
                let key = match self.escaped {
                    true => self.unescape(span.clone()),
                    false => Cow::Borrowed(&self.text[span.start + 1..span.end - 1]),
                };
                if self.keys.len() - first_key >= self.limits.max_members {
                    return Err(ScanError::TooLarge("members in one object", self.limits.max_members));
                }
                may_repeat |= self.escaped || traits.has_seen(key.as_bytes());
                self.keys.push(span);
                if self.peek() != Some(b':') {
                    return Err(self.syntax("expected `:` after a key"));
                }
                self.at += 1;
                on_member(self, &key)?;
                if !self.more(b'}', "expected `,` or `}` after a member")? {
                    break;
                }
            }
        }
        if may_repeat {
            self.check_duplicates(first_key)?;
        }
        self.keys.truncate(first_key);
        self.depth -= 1;
        Ok(start..self.at)
    }

    fn array(&mut self) -> Result<Span, ScanError> {
        self.elements(|_| Ok(()))
    }

    /// Passes over an array, whose elements are handed on one by one.
    pub(super) fn elements(
        &mut self,
        mut on_element: impl FnMut(Span) -> Result<(), ScanError>,
    ) -> Result<Span, ScanError> {
        let start = self.enter()?;
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                let element = self.value()?;
                on_element(element)?;
                if !self.more(b']', "expected `,` or `]` after an element")? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(start..self.at)
    }

    /// Passes over the bracket that opens an object or array.
    fn enter(&mut self) -> Result<usize, ScanError> {
        self.count()?;
        self.depth += 1;
        if self.depth > self.limits.max_depth {
            return Err(ScanError::TooLarge("levels of nesting", self.limits.max_depth));
        }
        let start = self.at;
        self.at += 1;
        Ok(start)
    }

    /// Passes over `,` (true) or the closing bracket (false).
    fn more(&mut self, close: u8, expected: &'static str) -> Result<bool, ScanError> {
        let next = self.peek();
        if next != Some(b',') && next != Some(close) {
            return Err(self.syntax(expected));
        }
        self.at += 1;
        Ok(next == Some(b','))
    }

    fn scalar(&mut self, first: u8) -> Result<Span, ScanError> {
        self.count()?;
        match first {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => Err(self.syntax("expected a value")),
        }
    }

    fn literal(&mut self, word: &'static str) -> Result<Span, ScanError> {
        let start = self.at;
        if !self.bytes[start..].starts_with(word.as_bytes()) {
            return Err(self.syntax("expected a value"));
        }
        self.at += word.len();
        Ok(start..self.at)
    }

    /// RFC 8259, section 6.
    fn number(&mut self) -> Result<Span, ScanError> {
        let start = self.at;
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(start..self.at)
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { Err(self.syntax("expected a digit")) } else { Ok(()) }
    }

    /// What a string that has been passed over says.
    pub(super) fn unescape(&self, span: Span) -> Cow<'a, str> {
        let inner = &self.text[span.start + 1..span.end - 1];
        if inner.contains('\\') {
            let text = serde_json::from_str(&self.text[span]).expect("the scanner has checked the string");
            return Cow::Owned(text);
        }
        Cow::Borrowed(inner)
    }

    /// Whether a key of an object that ends here stands twice. The seed of the hashes is another in each process, so that nobody
    /// finds two keys which are taken for one.
    fn check_duplicates(&self, first: usize) -> Result<(), ScanError> {
        let hasher = RandomState::default();
        let keys = &self.keys[first..];
        let hash = |(at, key): (usize, &Span)| (hasher.hash_one(&*self.unescape(key.clone())), at);
        let mut hashes: Vec<(u64, usize)> = keys.iter().enumerate().map(hash).collect();
        hashes.sort_unstable();
        let twins = hashes.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1);
        match twins.min() {
            Some(first) => Err(ScanError::Duplicate(self.unescape(keys[first].clone()).into_owned())),
            None => Ok(()),
        }
    }

    fn count(&mut self) -> Result<(), ScanError> {
        self.nodes += 1;
        if self.nodes > self.limits.max_nodes {
            return Err(ScanError::TooLarge("values", self.limits.max_nodes));
        }
        Ok(())
    }

    fn syntax(&self, what: &'static str) -> ScanError {
        ScanError::Syntax(what, self.at)
    }
}

/// What keys of an object look like: length, first and last byte, as one of 64 bits. Keys of which no two look alike, as
/// those of most small objects, need not be compared.
#[derive(Default)]
struct Traits(u64);

impl Traits {
    /// Whether a key that looks like this one has been seen, which now it is.
    fn has_seen(&mut self, key: &[u8]) -> bool {
        let of = |byte: Option<&u8>| byte.map_or(0, |byte| u32::from(*byte));
        let bit = 1 << ((key.len() as u32 ^ of(key.first()) << 2 ^ of(key.last())) % u64::BITS);
        let has_seen = self.0 & bit != 0;
        self.0 |= bit;
        has_seen
    }
}

#[cfg(test)]
mod tests;
