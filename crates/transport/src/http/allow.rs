//! Which hosts a request may be addressed to, and which web pages may send one.
//!
//! A page whose name an attacker makes point at the server (DNS rebinding) shows its own name in both headers, so
//! neither is let through unless it is known.

use std::net::IpAddr;
use std::str::FromStr;

/// A name under which a server is reached: `mcp.example.com`, or `mcp.example.com:8443` for that port alone.
///
/// Without a port, any port will do. Case does not matter, nor does a dot at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    name: Name,
    port: Option<u16>,
}

/// The origin of a web page: `https://app.example.com`, or with a port that is not the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Box<str>,
    name: Name,
    port: Option<u16>,
}

/// Text that is no [`Host`] or no [`Origin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidName(&'static str);

impl std::fmt::Display for InvalidName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidName {}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Address(IpAddr),
    Domain(Box<str>),
}

impl Name {
    fn matches(&self, other: &str) -> bool {
        match self {
            Self::Address(address) => parse_address(other) == Some(*address),
            Self::Domain(domain) => domain.eq_ignore_ascii_case(other),
        }
    }
}

impl FromStr for Host {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        const INVALID: InvalidName =
            InvalidName("a host is written like `mcp.example.com`, `mcp.example.com:8443` or `[::1]:8080`");
        let (name, port) = split(text).ok_or(INVALID)?;
        Ok(Self { name: parse_name(without_dot(name)), port })
    }
}

impl FromStr for Origin {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        const INVALID: InvalidName =
            InvalidName("an origin is written like `https://app.example.com` or `http://localhost:6274`");
        let (scheme, rest) = text.split_once("://").ok_or(INVALID)?;
        let (name, port) = split(rest).ok_or(INVALID)?;
        let port = port.or(default_port(scheme));
        Ok(Self { scheme: scheme.into(), name: parse_name(name), port })
    }
}

/// In lower case.
impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Domain(domain) => f.write_str(&domain.to_ascii_lowercase()),
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// As browsers write it: in lower case, without the scheme's own port.
impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = self.scheme.to_ascii_lowercase();
        write!(f, "{scheme}://{}", self.name)?;
        match self.port.filter(|port| Some(*port) != default_port(&scheme)) {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// What is let through, besides what is local.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowed {
    pub(super) hosts: Vec<Host>,
    pub(super) any_host: bool,
    pub(super) origins: Vec<Origin>,
    pub(super) any_origin: bool,
}

impl Allowed {
    /// Whether a request may be addressed to `host`, which may have a port.
    pub(super) fn host(&self, host: &str) -> bool {
        let Some((name, port)) = split(host) else { return false };
        let name = without_dot(name);
        let listed = |host: &Host| host.name.matches(name) && (host.port.is_none() || host.port == port);
        self.any_host || is_loopback(name) || self.hosts.iter().any(listed)
    }

    /// Whether a page of `origin` may send a request to `host`. Local pages may send to local names.
    pub(super) fn origin(&self, origin: &str, host: &str) -> bool {
        if self.any_origin {
            return true;
        }
        let Some((scheme, rest)) = origin.split_once("://") else { return false };
        let Some((name, port)) = split(rest) else { return false };
        let port = port.or(default_port(scheme));
        let listed = |allowed: &Origin| {
            allowed.scheme.eq_ignore_ascii_case(scheme) && allowed.name.matches(name) && allowed.port == port
        };
        let local = || {
            default_port(scheme).is_some()
                && is_loopback(name)
                && split(host).is_some_and(|(host, _)| is_loopback(without_dot(host)))
        };
        self.origins.iter().any(listed) || local()
    }
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || parse_address(name).is_some_and(|address| address.is_loopback())
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else {
        None
    }
}

/// Parts a name, with brackets if it is an IPv6 address, from a port. `None` if it is neither.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (name, port) = authority.split_at(end);
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => Some(digits.parse().ok()?),
        None if port.is_empty() => None,
        _ => return None,
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_name = if name.starts_with('[') {
        parse_address(name).is_some()
    } else {
        !name.is_empty() && name.bytes().all(is_plain)
    };
    is_name.then_some((name, port))
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn parse_name(name: &str) -> Name {
    parse_address(name).map_or_else(|| Name::Domain(name.into()), Name::Address)
}

fn parse_address(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => name.parse().ok().map(IpAddr::V4),
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self { name: Name::Address(address), port: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, written) in [
            ("HTTPS://App.Example:443", "https://app.example"),
            ("http://localhost:6274", "http://localhost:6274"),
            ("http://[::1]:80", "http://[::1]"),
            ("app://main", "app://main"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), written);
        }
    }

    fn allowed() -> Allowed {
        Allowed {
            hosts: vec!["mcp.example.com".parse().unwrap(), "Other.example.com.:8443".parse().unwrap()],
            origins: vec![
                "https://app.example.com".parse().unwrap(),
                "http://app.example.com:8080".parse().unwrap(),
            ],
            ..Allowed::default()
        }
    }

    #[test]
    fn hosts() {
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("localhost.:8080", true),
            ("127.0.0.1:1", true),
            ("127.9.9.9", true),
            ("[::1]:8080", true),
            ("[0:0:0:0:0:0:0:1]", true),
            ("mcp.example.com", true),
            ("MCP.Example.com:9999", true),
            ("mcp.example.com.", true),
            ("other.example.com:8443", true),
            ("other.example.com:8444", false),
            ("other.example.com", false),
            ("evil.test", false),
            ("localhost.evil.test", false),
            ("evil.test:localhost", false),
            ("localhost@evil.test", false),
            ("localhost:80:80", false),
            ("localhost:", false),
            ("localhost:99999", false),
            ("localhost:+80", false),
            ("::1", false),
            ("[::1", false),
            ("[::1]x", false),
            ("[::2]", false),
            ("0.0.0.0", false),
            ("127.0.0.1.evil.test", false),
            ("localhost..", false),
            ("", false),
            (" localhost", false),
            ("mcp.example.com, evil.test", false),
        ] {
            assert_eq!(allowed().host(host), expected, "{host}");
        }
        assert!(Allowed { any_host: true, ..allowed() }.host("evil.test"));
    }

    #[test]
    fn a_host_is_shown_as_it_is_written() {
        for (text, shown) in
            [("MCP.Example.com.", "mcp.example.com"), ("[::1]:80", "[::1]:80"), ("10.0.0.1", "10.0.0.1")]
        {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn origins() {
        for (origin, host, expected) in [
            ("https://app.example.com", "mcp.example.com", true),
            ("HTTPS://App.Example.com", "mcp.example.com", true),
            ("https://app.example.com:443", "mcp.example.com", true),
            ("https://app.example.com:444", "mcp.example.com", false),
            ("http://app.example.com:8080", "mcp.example.com", true),
            ("http://app.example.com", "mcp.example.com", false),
            ("https://app.example.com.", "mcp.example.com", false),
            ("https://app.example.com/", "mcp.example.com", false),
            ("https://mcp.example.com", "mcp.example.com", false),
            ("https://app.example.com.evil.test", "mcp.example.com", false),
            ("null", "localhost", false),
            ("", "localhost", false),
            ("localhost", "localhost", false),
            ("http://localhost:6274", "localhost:8080", true),
            ("http://127.0.0.1:6274", "localhost:8080", true),
            ("https://[::1]:1", "127.0.0.1", true),
            ("http://localhost.", "localhost", false),
            ("http://localhost", "mcp.example.com", false),
            ("http://user@localhost", "localhost", false),
            ("file://localhost", "localhost", false),
            ("http://evil.test", "localhost", false),
        ] {
            assert_eq!(allowed().origin(origin, host), expected, "{origin} to {host}");
        }
    }
}
