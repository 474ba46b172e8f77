//! From a URI back to values, in time that grows with the URI's length and no faster.

use regex::{Captures, Regex};

use super::UriValues;
use super::parse::{Operator, Part, Variable};

/// What matches the URIs of a template.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    /// Linear by construction: this engine never goes back.
    regex: Regex,
    /// What each of its groups captures, in order.
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
enum Group {
    Value { name: String, is_path: bool },
    Segments { name: String },
    Query { names: Vec<String> },
}

impl Matcher {
    pub(super) fn new(parts: &[Part]) -> Self {
        let has_query = parts.iter().any(|part| matches!(part, Part::Expression(Operator::Query, _)));
        let mut pattern = String::from("^");
        let mut groups = Vec::new();
        for part in parts {
            match part {
                Part::Literal(literal) => push_literal(&mut pattern, literal),
                Part::Expression(operator, variables) if operator.is_named() => {
                    pattern.push_str(&format!(r"(?:{}([^#]*))?", regex::escape(operator.first())));
                    let names = variables.iter().map(|variable| variable.name.clone()).collect();
                    groups.push(Group::Query { names });
                }
                Part::Expression(operator, variables) => {
                    push_values(&mut pattern, &mut groups, *operator, variables, has_query);
                }
            }
        }
        pattern.push('$');
        let regex = Regex::new(&pattern).expect("literals are escaped, and the rest is ours");
        Self { regex, groups }
    }

    pub(super) fn values(&self, uri: &str) -> Option<UriValues> {
        let captures = self.regex.captures(uri)?;
        let mut values = UriValues::new();
        for (n, group) in self.groups.iter().enumerate() {
            values = group.read(uri, &captures, n + 1, values)?;
        }
        Some(values)
    }
}

/// Characters that no value has as they are.
const NEVER: &str = r#"\x00-\x20\x7f"%<>\\^`{|}"#;

fn push_literal(pattern: &mut String, literal: &str) {
    let mut rest = literal;
    // The digits of a triplet are the same in either case (RFC 3986, section 6.2.2.1).
    while let Some(at) = rest.find('%') {
        let (before, triplet) = rest.split_at(at);
        pattern.push_str(&regex::escape(before));
        let (triplet, after) = triplet.split_at(3);
        pattern.push_str(&format!("(?i:{triplet})"));
        rest = after;
    }
    pattern.push_str(&regex::escape(rest));
}

fn push_values(
    pattern: &mut String,
    groups: &mut Vec<Group>,
    operator: Operator,
    variables: &[Variable],
    has_query: bool,
) {
    let is_path = matches!(operator, Operator::Simple | Operator::Reserved | Operator::Segment);
    let mut except = String::from(match operator {
        Operator::Fragment => "",
        // With a query to come, a question mark begins it.
        Operator::Reserved if has_query => "#?",
        Operator::Reserved => "#",
        _ => r"#?/\[\]",
    });
    if variables.len() > 1 {
        except.push_str(&regex::escape(operator.separator()));
    }
    let value = format!("(?:[^{NEVER}{except}]|%[0-9A-Fa-f]{{2}})+");
    let mut close = 0;
    for (n, Variable { name, is_list }) in variables.iter().enumerate() {
        if operator.is_optional() {
            pattern.push_str("(?:");
            close += 1;
        }
        if *is_list {
            pattern.push_str(&format!("((?:/{value})+)"));
            groups.push(Group::Segments { name: name.clone() });
            continue;
        }
        let before = if n == 0 { operator.first() } else { operator.separator() };
        pattern.push_str(&format!("{}({value})", regex::escape(before)));
        groups.push(Group::Value { name: name.clone(), is_path });
    }
    for _ in 0..close {
        pattern.push_str(")?");
    }
}

impl Group {
    fn read(&self, uri: &str, captures: &Captures<'_>, at: usize, values: UriValues) -> Option<UriValues> {
        let Some(found) = captures.get(at) else { return Some(values) };
        match self {
            Self::Value { name, is_path } => {
                let text = decode(found.as_str())?;
                if *is_path && !is_safe(&text, uri[..found.start()].ends_with('/')) {
                    return None;
                }
                Some(values.with(name, text))
            }
            Self::Segments { name } => {
                let segments = found.as_str().split('/').skip(1).map(decode).collect::<Option<Vec<_>>>()?;
                let is_safe = segments.iter().all(|segment| is_safe(segment, true));
                is_safe.then(|| values.with(name, segments))
            }
            Self::Query { names } => read_query(names, found.as_str(), values),
        }
    }
}

/// Takes each name at most once, in any order, and none that the template lacks.
fn read_query(names: &[String], query: &str, mut values: UriValues) -> Option<UriValues> {
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = names.iter().find(|known| **known == name)?;
        if values.get(name).is_some() {
            return None;
        }
        values = values.with(name, decode(value)?);
    }
    Some(values)
}

/// Whether a value can be taken for a part of a path. One with `.` or `..` as a segment, or one that begins a path anew,
/// would lead elsewhere; clients never make them, because a URI is written without such segments (RFC 3986, section
/// 6.2.2.3).
fn is_safe(text: &str, follows_slash: bool) -> bool {
    let is_slash = |c| c == '/' || c == '\\';
    let dots = text.split(is_slash).any(|segment| segment == "." || segment == "..");
    !(dots || follows_slash && text.starts_with(is_slash))
}

/// Replaces triplets by what they stand for. `None` if that is no text, or has a NUL in it.
fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let mut byte = *first;
        if byte == b'%' {
            let [high, low, after @ ..] = after else { return None };
            let digit = |digit: &u8| char::from(*digit).to_digit(16);
            byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
            rest = after;
        }
        bytes.push(byte);
    }
    if bytes.contains(&0) {
        return None;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::uri::{UriTemplate, UriValue, UriValues};

    fn template(text: &str) -> UriTemplate {
        UriTemplate::parse(text).unwrap()
    }

    /// The values as `name=value`, lists with spaces; `-` for no match.
    fn check(text: &str, uri: &str, expected: &str) {
        let written = template(text).match_uri(uri).map_or_else(
            || "-".to_owned(),
            |values| {
                let write = |(name, value): (&str, &UriValue)| match value {
                    UriValue::Text(text) => format!("{name}={text}"),
                    UriValue::List(list) => format!("{name}={}", list.join(" ")),
                };
                values.iter().map(write).collect::<Vec<_>>().join(";")
            },
        );
        assert_eq!(written, expected, "{text} and {uri}");
    }

    #[test]
    fn a_variable_stands_for_text_without_delimiters() {
        check("test://template/{id}/data", "test://template/123/data", "id=123");
        check("test://template/{id}/data", "test://template/a%2Fb%20c/data", "id=a/b c");
        check("test://template/{id}/data", "test://template//data", "-");
        check("test://template/{id}/data", "test://template/a/b/data", "-");
        check("test://template/{id}/data", "test://template/1/data/", "-");
        check("test://template/{id}/data", "xtest://template/1/data", "-");
        check("test://{id}", "test://a?b", "-");
        check("test://{id}", "test://é", "id=é");
        check("test://{id}", "test://a b", "-");
        check("test://{a}-{b}", "test://1-2-3", "a=1-2;b=3");
        check("test://{x,y}", "test://1,2", "x=1;y=2");
        check("test://a%2fb/{x}", "test://a%2Fb/1", "x=1");
    }

    #[test]
    fn what_has_an_operator_may_have_more_or_be_missing() {
        check("file:///{+path}", "file:///a/b.txt", "path=a/b.txt");
        check("file:///{+path}{?rev}", "file:///a/b?rev=2", "path=a/b;rev=2");
        check("file:///{+path}/end{#at}", "file:///a/end/end#l1", "path=a/end;at=l1");
        check("file:///doc{.ext}", "file:///doc.tar.gz", "ext=tar.gz");
        check("file:///doc{.ext}", "file:///doc", "");
        check("db://x{/schema,table}", "db://x/public/orders", "schema=public;table=orders");
        check("db://x{/schema,table}", "db://x/public", "schema=public");
        check("db://x{/schema,table}", "db://x/public/", "-");
        check("tree:{/path*}", "tree:/a/b%2Fc/d", "path=a b/c d");
    }

    #[test]
    fn a_query_s_names_come_in_any_order_and_once() {
        check("q:x{?a,b}", "q:x?b=2&a=1%26", "b=2;a=1&");
        check("q:x{?a,b}", "q:x?a", "a=");
        check("q:x{?a,b}", "q:x", "");
        check("q:x?z=1{&a}", "q:x?z=1&a=2", "a=2");
        for uri in ["q:x?a=1&a=2", "q:x?c=1", "q:x?", "q:x?a=%zz", "q:x?a=%ff", "q:x?a=%00"] {
            check("q:x{?a,b}", uri, "-");
        }
    }

    #[test]
    fn no_value_leads_out_of_a_folder() {
        for path in [
            "../etc/passwd",
            "a/../../b",
            "a/.",
            "..",
            "%2e%2e/x",
            "a%2F..%2Fb",
            "..%5Cx",
            "/etc/passwd",
            "%2Fetc%2Fpasswd",
            "%5C%5Chost",
            "a/%2e%2e",
            "a%00b",
        ] {
            check("file:///{+path}", &format!("file:///{path}"), "-");
            check("file:///{path}", &format!("file:///{path}"), "-");
            check("file://{/path*}", &format!("file:///{path}"), "-");
        }
        check("file:///{+path}", "file:///a..b/...", "path=a..b/...");
        check("q:x{?q}", "q:x?q=..", "q=..");
    }

    #[test]
    fn what_cannot_be_matched_is_refused() {
        for (text, reason) in [
            ("a/{b}", "begin with a scheme"),
            ("{a}:b", "begin with a scheme"),
            ("a:b", "no variables"),
            ("a:{b", "without a `}`"),
            ("a:b}", "without a `{`"),
            ("a:{}", "no name of a variable"),
            ("a:{b c}", "no name of a variable"),
            ("a:{b..c}", "no name of a variable"),
            ("a:{b:3}", "a prefix"),
            ("a:{b*}", "only the segments"),
            ("a:{/b*,c}", "where the list `b` ends"),
            ("a:{;b}", "parameters of segments"),
            ("a:{=b}", "no operator"),
            ("a:{b}{c}", "where `{b}` ends"),
            ("a:{?b}{+c}", "where `{b}` ends"),
            ("a:{?b}/c", "only a fragment"),
            ("a:{#b}{/c}", "nothing may follow"),
            ("a:{b}/{b}", "twice"),
            ("a:b c{d}", "cannot stand in a URI"),
        ] {
            let error = UriTemplate::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_long_uri_takes_no_longer_than_its_length_says() {
        let template = template("a:{a}-{b}-{c}-{d}-{e}x");
        let measure = |length: usize| {
            let uri = format!("a:{}", "-".repeat(length));
            let started = std::time::Instant::now();
            assert_eq!(template.match_uri(&uri), None);
            started.elapsed()
        };
        measure(1000);
        // One that goes back would take 64^5 times as long.
        let (short, long) = (measure(4_000), measure(256_000));
        assert!(long < short.max(std::time::Duration::from_micros(100)) * 2_000, "{short:?} {long:?}");
    }

    /// Text without what separates the variables of the templates below, and without what no path has.
    fn text() -> impl Strategy<Value = String> {
        r"[a-zA-Z0-9 %:?#@é\u{4e16}&=+\[\]]{1,12}"
    }

    proptest! {
        #[test]
        fn what_was_expanded_matches_with_the_same_values(
            a in text(), b in text(), c in text(), d in text(), e in text(), f in text(),
            list in proptest::collection::vec(text(), 1..4),
        ) {
            let values = UriValues::new().with("a", a).with("b", b).with("c", c).with("list", list);
            let values = values.with("d", d).with("e", e).with("f", f);
            let template = template("x://{a}/{b,c}/end{/list*}{?d,e}{#f}");
            let uri = template.expand(&values);
            // A triplet in a fragment stays as it is, and so means something else.
            if !values.text("f").unwrap().contains('%') {
                prop_assert_eq!(template.match_uri(&uri), Some(values), "{}", uri);
            }
        }

        #[test]
        fn what_matches_is_made_of_the_values(uri in "x:[a-c/%2?&=.#-]{0,24}") {
            for text in ["x:{a}/{b}", "x:{a}{/b,c}", "x:{a}{.b}", "x:{/a*}{?b}", "x:{a}-{b}{#c}"] {
                let template = template(text);
                if let Some(values) = template.match_uri(&uri) {
                    let again = template.expand(&values);
                    prop_assert_eq!(template.match_uri(&again), Some(values), "{} {} {}", text, uri, again);
                }
            }
        }

        #[test]
        fn any_text_is_a_template_or_is_refused(text in "x:[a-b{}+#./?&*:,;%2 ]{0,16}") {
            if let Ok(template) = UriTemplate::parse(text.as_str()) {
                let _ = template.match_uri(&text);
                let _ = template.match_uri("x:a/b?c#d");
            }
        }
    }
}
