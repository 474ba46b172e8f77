//! One pass over JSON text: is it valid, is it within bounds, and where are the members that matter?
//!
//! serde_json bounds depth but not width: four megabytes of `[{"":0},..]` become 400 MB of values. So nothing is
//! built before this pass has counted what there is. It also refuses a key that stands twice in an object, of which
//! parsers keep one or the other: what one of them checks, another would not run.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;

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
    keys: Vec<(u64, Span)>,
    hasher: RandomState,
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
            hasher: RandomState::default(),
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
                self.keys.push((self.hasher.hash_one(&*key), span));
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
        self.check_duplicates(first_key)?;
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

    /// RFC 8259, section 7. The span includes the quotes.
    fn string(&mut self) -> Result<Span, ScanError> {
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

    /// What a string that has been passed over says.
    pub(super) fn unescape(&self, span: Span) -> Cow<'a, str> {
        let inner = &self.text[span.start + 1..span.end - 1];
        if inner.contains('\\') {
            let text = serde_json::from_str(&self.text[span]).expect("the scanner has checked the string");
            return Cow::Owned(text);
        }
        Cow::Borrowed(inner)
    }

    /// Of an object that ends here: whether one of its keys stands twice.
    fn check_duplicates(&mut self, first: usize) -> Result<(), ScanError> {
        let keys = &mut self.keys[first..];
        let duplicate = if keys.len() <= 8 {
            let twin = |at: &usize| keys[..*at].iter().any(|(hash, _)| *hash == keys[*at].0);
            (1..keys.len()).find(twin).map(|at| keys[at].1.clone())
        } else {
            keys.sort_unstable_by_key(|(hash, _)| *hash);
            keys.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1.clone())
        };
        self.keys.truncate(first);
        match duplicate {
            Some(span) => Err(ScanError::Duplicate(self.unescape(span).into_owned())),
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

/// How many bytes come before the first quote, backslash or control character. It looks at eight at once: most of a
/// message is within strings.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xFF;
    // Sets the highest bit of the first byte that is below `limit` (at most 0x80). A borrow may set those of later
    // bytes, too.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & (ONES << 7);
    let equal = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let (words, tail) = bytes.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let special = below(word, 0x20) | equal(word, b'"') | equal(word, b'\\');
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
    use proptest::prelude::*;

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

    fn scan(text: &str, limits: &Limits) -> Result<(), ScanError> {
        let mut scanner = Scanner::new(text, limits);
        scanner.value()?;
        scanner.end()
    }

    fn is_json(text: &str) -> bool {
        scan(text, &Limits::default()).is_ok()
    }

    #[test]
    fn it_agrees_with_serde_json_on_what_is_json() {
        let cases = [
            "0",
            "-0",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "1e+",
            "1E-7",
            "+1",
            "NaN",
            "tru",
            "true",
            "nul",
            "null ",
            "\"\"",
            "\"\u{7f}\"",
            "\"\t\"",
            r#""\x""#,
            r#""\u12""#,
            r#""\ud800""#,
            r#""\ud83d\ude00""#,
            r#""\udc00\ud800""#,
            r#""\ud800\u0041""#,
            "[]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{}",
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            r#"{a:1}"#,
            r#"{"a":}"#,
            "[",
            "{",
            "\"",
            "",
            " ",
            "1 1",
            "[1]]",
            "\u{feff}1",
            "'a'",
        ];
        for text in cases {
            let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(is_json(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_key_stands_once_in_an_object_however_it_is_spelled() {
        assert!(is_json(r#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#));
        for text in [r#"{"a":1,"a":1}"#, r#"[{"a":1,"b":2,"\u0061":3}]"#, r#"{"x":{"":0,"":0}}"#] {
            assert!(matches!(scan(text, &Limits::default()), Err(ScanError::Duplicate(_))), "{text}");
        }
        let many: Vec<String> = (0..40).map(|n| format!("\"k{n}\":0")).collect();
        assert!(is_json(&format!("{{{}}}", many.join(","))));
        assert!(!is_json(&format!("{{{},\"k7\":1}}", many.join(","))));
    }

    #[test]
    fn bounds_hold_at_the_last_value_and_break_at_the_next() {
        let limits = Limits { max_depth: 3, max_nodes: 5, max_members: 2, max_string: 6 };
        for (inside, outside) in [
            ("[[[]]]", "[[[[]]]]"),
            ("[1,2,3,4]", "[1,2,3,4,5]"),
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2,"c":3}"#),
            (r#""1234""#, r#""12345""#),
        ] {
            assert_eq!(scan(inside, &limits), Ok(()));
            assert!(matches!(scan(outside, &limits), Err(ScanError::TooLarge(..))), "{outside}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::hash_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_serde_json_writes_is_json(value in json()) {
            prop_assert!(is_json(&value.to_string()));
            prop_assert!(is_json(&serde_json::to_string_pretty(&value).unwrap()));
        }

        #[test]
        fn a_changed_byte_is_judged_as_serde_json_judges_it(value in json(), at in any::<usize>(), byte in 0_u8..128) {
            let mut text = value.to_string().into_bytes();
            let at = at % text.len();
            text[at] = byte;
            if let Ok(text) = std::str::from_utf8(&text) {
                // serde_json keeps the last of two equal keys, so it may take what the scanner does not.
                let expected = serde_json::from_str::<serde_json::Value>(text);
                match scan(text, &Limits::default()) {
                    Ok(()) => prop_assert!(expected.is_ok() || text.contains(['e', 'E']), "{text}"),
                    Err(ScanError::Syntax(..)) => prop_assert!(expected.is_err(), "{text}"),
                    Err(_) => {}
                }
            }
        }
    }
}
