//! Makes the target of a request of a base URL and what a caller gave.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use bytestring::ByteString;
use http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::check::{MOST_BYTES, check_path, check_percent, check_query};
use super::refusal::Refusal;

/// What stays as it is in a path: RFC 3986's `pchar` without `'`, which URL parsers treat in two ways, and `/`.
/// `%` stays because it was checked.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/')
    .remove(b'%');

/// What stays as it is in a query: the same, and `?`.
const QUERY: &AsciiSet = &PATH.remove(b'?');

/// The origin of an API and the prefix below which every request to it lies.
///
/// ```
/// use towline_http_api::egress::{BaseUrl, Refusal};
///
/// let base = BaseUrl::parse("https://api.example.com/v3").unwrap();
/// let target = base.join("/repos/a b", Some("page=2")).unwrap();
/// assert_eq!(target.to_string(), "https://api.example.com/v3/repos/a%20b?page=2");
/// assert_eq!(base.join("/../admin", None), Err(Refusal::DotSegment));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    /// `https://api.example.com:8443`, without a port where it is the scheme's own.
    origin: String,
    /// Where the authority begins in `origin`.
    authority_at: usize,
    /// Empty, or `/v3`: without a slash at the end.
    prefix: String,
}

impl BaseUrl {
    /// Reads the base URL of a configuration.
    ///
    /// # Errors
    ///
    /// What to change, when it is not `http` or `https`, names a user, query or fragment, spells its host in a way
    /// that two readers could read differently, or its path is not plain. The text repeats nothing of the URL.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("must begin with `https://` or `http://`")?;
        let scheme = scheme.to_ascii_lowercase();
        let own_port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return Err("must begin with `https://` or `http://`"),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if rest.contains(['?', '#']) {
            return Err("must have no query and no fragment");
        }
        if authority.contains('@') {
            return Err("must not hold a user or a password: set `auth` instead");
        }
        let (host, port) = split_port(authority)?;
        let host = host.to_ascii_lowercase();
        check_host(&host)?;
        let port = port.filter(|port| *port != own_port);

        let prefix = path.trim_end_matches('/');
        let is_plain = prefix.is_empty() || check_path(prefix).is_ok();
        if !is_plain || prefix.contains("//") || utf8_percent_encode(prefix, PATH).to_string() != prefix {
            return Err(
                "must have a plain path: no dot segments, no double slashes, the rest percent-encoded",
            );
        }
        let mut origin = format!("{scheme}://{host}");
        if let Some(port) = port {
            origin.push_str(&format!(":{port}"));
        }
        Ok(Self { origin, authority_at: scheme.len() + 3, prefix: prefix.to_owned() })
    }

    /// The target of a request to `path` below the base URL, with an encoded `query` (without `?`).
    ///
    /// What arrives percent-encoded stays, every other character that needs it is encoded once. An empty path is the
    /// base URL itself.
    ///
    /// # Errors
    ///
    /// When path or query are anything that this or any other reader of URLs could take for something else than a
    /// path below the base URL.
    pub fn join(&self, path: &str, query: Option<&str>) -> Result<Uri, Refusal> {
        check_path(path)?;
        if let Some(query) = query {
            check_query(query)?;
        }
        // Little of most paths and queries is encoded.
        let room = self.origin.len() + self.prefix.len() + path.len() + query.map_or(0, str::len) + 16;
        let mut target = String::with_capacity(room);
        target.push_str(&self.origin);
        target.push_str(&self.prefix);
        target.extend(utf8_percent_encode(path, PATH));
        if self.prefix.is_empty() && path.is_empty() {
            target.push('/');
        }
        let path_end = target.len();
        if let Some(query) = query {
            target.push('?');
            encode_query(query, &mut target);
        }
        if target.len() - self.origin.len() > MOST_BYTES {
            return Err(Refusal::TooLong { most: MOST_BYTES });
        }
        // A parser other than the one that wrote it must read the same out of it.
        let target = ByteString::from(target);
        let uri = Uri::from_maybe_shared(target.as_bytes().clone()).map_err(|_| Refusal::Outside)?;
        let is_inside = self.has_origin(&uri)
            && uri.path() == &target[self.origin.len()..path_end]
            && uri.query().map_or(path_end, |query| path_end + 1 + query.len()) == target.len()
            && self.below(uri.path()).is_some();
        if is_inside { Ok(uri) } else { Err(Refusal::Outside) }
    }

    /// Whether a URL has scheme, host and port of this one.
    pub(crate) fn has_origin(&self, uri: &Uri) -> bool {
        let authority = uri.authority().map(http::uri::Authority::as_str);
        uri.scheme_str() == Some(self.scheme()) && authority == Some(self.authority())
    }

    /// The path below the base URL of an absolute path, unless it lies elsewhere.
    pub(crate) fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(self.prefix.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }

    /// Path and query below the base URL of a URL that an answer names, absolute or relative to `from`.
    ///
    /// # Errors
    ///
    /// `Outside` when it names another origin or another prefix.
    pub(crate) fn relative(&self, from: &Uri, reference: &str) -> Result<(String, Option<String>), Refusal> {
        let from = url::Url::parse(&from.to_string()).map_err(|_| Refusal::Outside)?;
        let mut url = from.join(reference).map_err(|_| Refusal::Outside)?;
        url.set_fragment(None);
        // `Url` has taken off the scheme's own port and made the host lowercase, as this type has.
        let ours = url::Url::parse(&self.origin).map_err(|_| Refusal::Outside)?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        if url.origin() != ours.origin() || has_user {
            return Err(Refusal::Outside);
        }
        let path = self.below(url.path()).ok_or(Refusal::Outside)?;
        Ok((path.to_owned(), url.query().map(str::to_owned)))
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &str {
        &self.origin[..self.authority_at - 3]
    }

    /// Host and port, as they stand in a URL.
    pub fn authority(&self) -> &str {
        &self.origin[self.authority_at..]
    }

    /// The host, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        split_port(self.authority()).map_or("", |(host, _)| host)
    }

    /// The path of every request begins so: empty, or `/v3`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// Shows the origin only: the path of a webhook is its secret.
impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({:?})", self.origin)
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let after_host = match authority.find(']') {
        Some(at) if authority.starts_with('[') => at + 1,
        _ => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(after_host);
    if rest.is_empty() {
        return Ok((host, None));
    }
    let digits = rest.strip_prefix(':').filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let port: Option<u16> = digits.and_then(|digits| digits.parse().ok()).filter(|port| *port != 0);
    port.map(|port| (host, Some(port))).ok_or("must name a port from 1 to 65535, or none")
}

/// Takes names and plain addresses; refuses what some readers take for an address and others for a name.
fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or_default();
        let is_address = address.parse::<Ipv6Addr>().is_ok();
        return is_address.then_some(()).ok_or("must hold a valid IPv6 address in brackets");
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if host.is_empty() || host.len() > 253 || !host.split('.').all(label) {
        return Err("must name a host in ASCII letters, digits, `-` and `.` (punycode for others)");
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err("must spell an IPv4 address as four decimal numbers");
    }
    Ok(())
}

/// Encodes a query: a `%` that begins no encoded byte stands for itself.
fn encode_query(query: &str, out: &mut String) {
    let mut rest = query;
    while let Some(at) = rest.find('%') {
        out.extend(utf8_percent_encode(&rest[..at], QUERY));
        let is_encoded = check_percent(rest[at..].get(..3).unwrap_or("%")).is_ok();
        out.push_str(if is_encoded { "%" } else { "%25" });
        rest = &rest[at + 1..];
    }
    out.extend(utf8_percent_encode(rest, QUERY));
}
