//! From the text of a template to its parts.

use super::{begins_with_triplet, check_scheme, is_reserved, is_unreserved};

/// Why a text is no URI template that URIs can be matched against.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("URI template {template:?}: {reason}")]
pub struct UriTemplateError {
    template: String,
    reason: String,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text that stands in each URI as it is.
    Literal(String),
    /// Variables.
    Expression(Operator, Vec<Variable>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    /// `*`: a list, one segment each.
    pub(super) is_list: bool,
}

/// How the variables of an expression are written (RFC 6570, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `{x}`: text in which everything but letters, digits and `-._~` is encoded.
    Simple,
    /// `{+x}`: text in which what delimits the parts of a URI may stand as it is.
    Reserved,
    /// `{#x}`: the fragment.
    Fragment,
    /// `{.x}`: with a dot in front.
    Label,
    /// `{/x}`: with a slash in front.
    Segment,
    /// `{?x}`: the query.
    Query,
    /// `{&x}`: more of a query.
    QueryMore,
}

impl Operator {
    /// What stands before the first value, if there is any.
    pub(super) const fn first(self) -> &'static str {
        match self {
            Self::Simple | Self::Reserved => "",
            Self::Fragment => "#",
            Self::Label => ".",
            Self::Segment => "/",
            Self::Query => "?",
            Self::QueryMore => "&",
        }
    }

    /// What stands between two values.
    pub(super) const fn separator(self) -> &'static str {
        match self {
            Self::Simple | Self::Reserved | Self::Fragment => ",",
            Self::Label => ".",
            Self::Segment => "/",
            Self::Query | Self::QueryMore => "&",
        }
    }

    /// Whether values may have delimiters in them as they are.
    pub(super) const fn is_reserved(self) -> bool {
        matches!(self, Self::Reserved | Self::Fragment)
    }

    /// Whether values come with their names.
    pub(super) const fn is_named(self) -> bool {
        matches!(self, Self::Query | Self::QueryMore)
    }

    /// Whether the URI may lack all of the values: they then take their prefix with them.
    pub(super) const fn is_optional(self) -> bool {
        !matches!(self, Self::Simple | Self::Reserved)
    }
}

/// Takes a template apart.
pub(super) fn parse(template: &str) -> Result<Vec<Part>, UriTemplateError> {
    let refuse = |reason: String| UriTemplateError { template: template.into(), reason };
    let parts = split(template).map_err(refuse)?;
    check(template, &parts).map_err(refuse)?;
    Ok(parts)
}

fn split(template: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let end = rest.find(['{', '}']).unwrap_or(rest.len());
        if end > 0 {
            parts.push(Part::Literal(literal(&rest[..end])?));
        }
        rest = &rest[end..];
        if rest.is_empty() {
            break;
        }
        let inner = rest.strip_prefix('{').ok_or("a `}` without a `{` before it")?;
        let (inner, after) = inner.split_once('}').ok_or("a `{` without a `}` after it")?;
        parts.push(expression(inner)?);
        rest = after;
    }
    Ok(parts)
}

/// Text as it stands in URIs: characters that they cannot have are encoded (RFC 6570, section 3.1).
fn literal(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match u8::try_from(c) {
            Ok(byte) if is_unreserved(byte) || is_reserved(byte) => out.push(c),
            Ok(b'%') if begins_with_triplet(&text.as_bytes()[at..]) => out.push(c),
            _ if c.is_ascii() => return Err(format!("{c:?} cannot stand in a URI")),
            _ => super::expand::encode(c, &mut out),
        }
    }
    Ok(out)
}

fn expression(inner: &str) -> Result<Part, String> {
    let operator = match inner.chars().next() {
        Some('+') => Operator::Reserved,
        Some('#') => Operator::Fragment,
        Some('.') => Operator::Label,
        Some('/') => Operator::Segment,
        Some('?') => Operator::Query,
        Some('&') => Operator::QueryMore,
        Some(';') => return Err("parameters of segments (`{;name}`) cannot be matched".into()),
        Some(other @ ('=' | ',' | '!' | '@' | '|')) => {
            return Err(format!("`{other}` is no operator of RFC 6570"));
        }
        _ => Operator::Simple,
    };
    let names = if operator == Operator::Simple { inner } else { &inner[1..] };
    let variables = names.split(',').map(|name| variable(name, operator)).collect::<Result<Vec<_>, _>>()?;
    if let Some(list) = variables.iter().rev().skip(1).find(|variable| variable.is_list) {
        return Err(format!("nothing tells where the list `{}` ends: it must be the last", list.name));
    }
    Ok(Part::Expression(operator, variables))
}

fn variable(text: &str, operator: Operator) -> Result<Variable, String> {
    let (name, is_list) = text.strip_suffix('*').map_or((text, false), |name| (name, true));
    if name.contains(':') {
        return Err(format!("`{text}`: a prefix cuts the value off, so that it cannot be read from a URI"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    let dots = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    if name.is_empty() || dots || !name.bytes().all(allowed) {
        return Err(format!("{name:?} is no name of a variable: letters, digits, `_`, and `.` between them"));
    }
    if is_list && operator != Operator::Segment {
        return Err(format!("`{text}`: only the segments of a path (`{{/{name}*}}`) can be read as a list"));
    }
    Ok(Variable { name: name.into(), is_list })
}

/// Holds the template as a whole against what makes a match unambiguous.
fn check(template: &str, parts: &[Part]) -> Result<(), String> {
    check_scheme(template)?;
    let mut names: Vec<&str> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let Part::Expression(operator, variables) = part else { continue };
        for variable in variables {
            if names.contains(&variable.name.as_str()) {
                return Err(format!("the variable `{}` stands there twice", variable.name));
            }
            names.push(&variable.name);
        }
        match parts.get(at + 1) {
            Some(Part::Expression(next @ (Operator::Simple | Operator::Reserved), _)) => {
                let next = if *next == Operator::Simple { "" } else { "+" };
                return Err(format!(
                    "nothing tells where `{{{}}}` ends: put text between it and `{{{next}..}}`",
                    names.last().unwrap_or(&"")
                ));
            }
            Some(Part::Expression(Operator::Fragment, _)) | None => {}
            Some(_) if operator.is_named() => {
                return Err("after the query (`{?..}`, `{&..}`) only a fragment may follow".into());
            }
            Some(_) if *operator == Operator::Fragment => {
                return Err("nothing may follow the fragment (`{#..}`)".into());
            }
            Some(_) => {}
        }
    }
    if names.is_empty() {
        return Err("it has no variables: it is a URI".into());
    }
    Ok(())
}
