//! What an answer depends on, as bytes: two calls have the same key only if they ask for the same.
//!
//! Arguments are written in a form of their own, not in RFC 8785's, whose numbers are 64-bit floats: there, 2^53 and
//! 2^53 + 1 are the same number, and two rows would share an answer. Each value begins with a tag, strings and
//! numbers tell their length, and members of objects are sorted by their names' bytes. Numbers keep the digits in
//! which they were written, so `1`, `1.0` and `1.00` differ, as they may to a tool; only `-0` is `0`.

use std::ops::Range;
use std::sync::Arc;

use towline_core::{Operation, Principal};

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
        (CacheScope::Shared, _) if !request.depends_on_caller() => key.push(b'*'),
        (_, None) => key.push(b'-'),
        (_, Some(principal)) => write_principal(&mut key, principal)?,
    }
    if !arguments.is_empty() {
        write_json(&mut key, arguments)?;
    }
    Some(key)
}

/// Who it is, and what else a tool may look at: the same caller with a token for less may see less.
fn write_principal(out: &mut Vec<u8>, principal: &Principal) -> Option<()> {
    write_text(out, b'p', principal.id().as_bytes())?;
    for scope in principal.scopes() {
        write_text(out, b'g', scope.as_bytes())?;
    }
    for (name, value) in principal.claims() {
        write_text(out, b'c', name.as_bytes())?;
        write_text(out, b'v', value.as_bytes())?;
    }
    Some(())
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};
    use towline_core::{Context, Principal, RawJson, ToolCall};

    use super::*;

    fn written(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        write_json(&mut out, text).map(|()| out)
    }

    #[track_caller]
    fn same(texts: &[&str]) {
        let first = written(texts[0]).unwrap();
        for text in texts {
            assert_eq!(written(text).as_deref(), Some(&*first), "{text}");
        }
    }

    #[track_caller]
    fn different(texts: &[&str]) {
        for (n, text) in texts.iter().enumerate() {
            assert!(written(text).is_some(), "{text}");
            for other in &texts[..n] {
                assert_ne!(written(text), written(other), "{text} and {other}");
            }
        }
    }

    #[test]
    fn spacing_order_and_escapes_make_no_difference() {
        same(&[r#"{"a":1,"b":[true,null]}"#, " {\n\"b\" : [ true ,\tnull ] , \"a\" : 1 }\r\n"]);
        same(&[r#"{"é":"\n/"}"#, r#"{"\u00e9":"\u000A\/"}"#]);
        same(&[r#"["😀"]"#, r#"["\ud83d\ude00"]"#, r#"["\uD83D\uDE00"]"#]);
        same(&[r#"{"o":{"z":{"b":1,"a":2},"y":3}}"#, r#"{"o":{"y":3,"z":{"a":2,"b":1}}}"#]);
    }

    #[test]
    fn numbers_keep_all_their_digits() {
        different(&["9007199254740992", "9007199254740993", "9007199254740992.0"]);
        different(&["18446744073709551615", "18446744073709551616", "18446744073709551617"]);
        different(&["0.1", "0.10000000000000000001", "1e400", "1e401", "1", "1.0", "1.00", "-1"]);
        same(&["0", "-0"]);
    }

    #[test]
    fn values_that_look_alike_differ() {
        different(&["1", r#""1""#, "[1]", r#"{"1":1}"#, "null", "true", "false", r#""null""#, r#""""#]);
        different(&["[]", "{}", "[[]]", "[{}]", "[[],[]]", "[[[]]]"]);
        different(&[r#"["ab","c"]"#, r#"["a","bc"]"#, r#"["abc"]"#, r#"["a","b","c"]"#]);
        different(&["[[1],2]", "[[1,2]]", "[1,[2]]", "[1,2]", "[12]"]);
        different(&[r#"{"a":{"b":1}}"#, r#"{"a":{},"b":1}"#, r#"{"a":1}"#, r#"{"b":1}"#]);
        different(&[r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\ufffd""#, r#""\ud800x""#]);
        different(&[r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#, r#"{"a":1}"#, r#"{"a":2}"#]);
    }

    #[test]
    fn what_is_no_json_or_too_deep_has_no_key() {
        for text in
            ["", "{", "[1", "[1,]", "[,1]", r#"{"a"}"#, r#"{"a":}"#, r#""\x""#, r#""\u12""#, "1 2", "tru"]
        {
            assert_eq!(written(text), None, "{text}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(written(&nested(MAX_DEPTH)).is_some());
        assert_eq!(written(&nested(MAX_DEPTH + 1)), None);
        assert_eq!(written(&nested(1_000_000)), None);
    }

    #[test]
    fn services_tools_and_principals_have_keys_of_their_own() {
        let call = |tool: &str, principal: Option<&str>| {
            let mut context = Context::default();
            if let Some(id) = principal {
                context.extensions_mut().insert(Principal::new(id));
            }
            ToolCall::new(tool, RawJson::EMPTY_OBJECT, context)
        };
        let scopes = |names: &[&str]| Arc::new(names.iter().map(|name| Box::from(*name)).collect());
        let known = |principal: Principal| {
            let mut context = Context::default();
            context.extensions_mut().insert(principal);
            ToolCall::new("a", RawJson::EMPTY_OBJECT, context)
        };
        let own = |service, call: &ToolCall| of(service, CacheScope::Principal, call).unwrap();
        let keys = [
            own(1, &call("a", None)),
            own(2, &call("a", None)),
            own(1, &call("b", None)),
            own(1, &call("a", Some("ann"))),
            own(1, &call("a", Some("bob"))),
            own(1, &call("a", Some(""))),
            own(1, &known(Principal::new("ann").with_scopes(scopes(&["x"])))),
            own(1, &known(Principal::new("ann").with_scopes(scopes(&["x", "y"])))),
            own(1, &known(Principal::new("ann").with_claim("x", "y"))),
            own(1, &known(Principal::new("ann").with_claim("xy", ""))),
            of(1, CacheScope::Shared, &call("a", Some("ann"))).unwrap(),
        ];
        for (n, key) in keys.iter().enumerate() {
            assert!(!keys[..n].contains(key), "{n}");
        }
        assert_eq!(keys[10], of(1, CacheScope::Shared, &call("a", None)).unwrap());
        // What depends on who calls is nobody else's, whatever the settings say.
        let of_caller = call("a", Some("ann")).with_caller(true);
        assert_eq!(of(1, CacheScope::Shared, &of_caller).unwrap(), keys[3]);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[a-c\"\\\\/\n\u{1}é😀]{0,4}", any::<String>()];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-3..3_i64).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((text.clone(), inner), 0..5)
                    .prop_map(|members| Value::from(Map::from_iter(members))),
            ]
        })
    }

    /// Writes a value with members in another order, spaces, and escapes where there need be none.
    fn disguise(value: &Value, seed: &mut fastrand::Rng, out: &mut String) {
        let space = |seed: &mut fastrand::Rng, out: &mut String| {
            out.push_str(seed.choice(["", " ", "\n\t"]).unwrap_or_default());
        };
        let text = |text: &str, seed: &mut fastrand::Rng, out: &mut String| {
            out.push('"');
            let mut units = [0; 2];
            for character in text.chars() {
                if seed.bool() || character < ' ' || matches!(character, '"' | '\\') {
                    for unit in character.encode_utf16(&mut units) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                } else {
                    out.push(character);
                }
            }
            out.push('"');
        };
        space(seed, out);
        match value {
            Value::String(string) => text(string, seed, out),
            Value::Array(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    disguise(item, seed, out);
                }
                out.push(']');
            }
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                seed.shuffle(&mut members);
                out.push('{');
                for (n, (name, member)) in members.into_iter().enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    space(seed, out);
                    text(name, seed, out);
                    space(seed, out);
                    out.push(':');
                    disguise(member, seed, out);
                }
                out.push('}');
            }
            leaf => out.push_str(&leaf.to_string()),
        }
        space(seed, out);
    }

    /// Reads back what was written, and what is left of it.
    fn read(bytes: &[u8]) -> (Value, &[u8]) {
        let text = |bytes: &'_ [u8]| -> (String, usize) {
            let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
            (String::from_utf8(bytes[4..4 + length].to_vec()).unwrap(), 4 + length)
        };
        let (tag, mut rest) = (bytes[0], &bytes[1..]);
        let value = match tag {
            b't' => json!(true),
            b'f' => json!(false),
            b'n' => Value::Null,
            b's' | b'd' => {
                let (text, length) = text(rest);
                rest = &rest[length..];
                if tag == b's' { text.into() } else { serde_json::from_str(&text).unwrap() }
            }
            b'[' => {
                let mut items = Vec::new();
                while rest[0] != b']' {
                    let (item, left) = read(rest);
                    items.push(item);
                    rest = left;
                }
                rest = &rest[1..];
                items.into()
            }
            b'{' => {
                let mut members = Map::new();
                while rest[0] == b'm' {
                    let (name, length) = text(&rest[1..]);
                    let (member, left) = read(&rest[1 + length..]);
                    members.insert(name, member);
                    rest = left;
                }
                assert_eq!(rest[0], b'}');
                rest = &rest[1..];
                members.into()
            }
            other => panic!("{other}"),
        };
        (value, rest)
    }

    proptest! {
        #[test]
        fn however_a_value_is_written_its_key_is_the_same(value in any_value(), seed in any::<u64>()) {
            let mut text = String::new();
            disguise(&value, &mut fastrand::Rng::with_seed(seed), &mut text);
            prop_assert_eq!(written(&text), written(&value.to_string()), "{}", text);
        }

        #[test]
        fn a_key_tells_the_whole_value(value in any_value()) {
            let key = written(&value.to_string()).unwrap();
            // What can be read back is written like nothing else.
            let (back, rest) = read(&key);
            prop_assert!(rest.is_empty());
            prop_assert_eq!(back, serde_json::from_str::<Value>(&value.to_string()).unwrap());
        }

        #[test]
        fn distinct_values_have_distinct_keys(one in any_value(), other in any_value()) {
            prop_assume!(one != other);
            prop_assert_ne!(written(&one.to_string()), written(&other.to_string()));
        }

        #[test]
        fn text_of_any_kind_is_read_without_panic(text in any::<String>(), wild in "[\\[\\]{}\":,\\\\u0-9a-f.e+ -]{0,40}") {
            written(&text);
            written(&wild);
        }
    }
}
