//! Reads a connection string, with the `sslmode`s that tokio-postgres does not know.

use std::path::PathBuf;

use tokio_postgres::config::Host;

/// How the way to the server is protected, as libpq defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Where to connect, and how.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) ssl_mode: SslMode,
    pub(crate) root_cert: Option<PathBuf>,
}

impl Target {
    /// Reads a URL or `key=value` pairs. The error is what to change, and repeats none of the text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (rest, ssl) = if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            take_from_url(text)?
        } else if text.contains('=') {
            take_from_pairs(text)?
        } else {
            return Err("must start with `postgres://` (or hold `host=... dbname=...`)".into());
        };

        let mut ssl_mode = SslMode::Prefer;
        let mut root_cert = None;
        for (key, value) in ssl {
            match (key.as_str(), value.as_str()) {
                ("sslrootcert", "system" | "") => {}
                ("sslrootcert", path) => root_cert = Some(PathBuf::from(path)),
                ("sslmode", mode) => {
                    ssl_mode = match mode {
                        "disable" => SslMode::Disable,
                        // `allow` tries without TLS first; trying with it first is no worse.
                        "allow" | "prefer" => SslMode::Prefer,
                        "require" => SslMode::Require,
                        "verify-ca" => SslMode::VerifyCa,
                        "verify-full" => SslMode::VerifyFull,
                        _ => {
                            return Err("has an unknown `sslmode`; it may be disable, prefer, \
                                        require, verify-ca or verify-full"
                                .into());
                        }
                    }
                }
                _ => return Err(format!("uses `{key}`, which is not supported; remove it")),
            }
        }

        // The inner error may quote the text, so it is not repeated.
        let mut config: tokio_postgres::Config = rest.parse().map_err(|_| {
            "is not a connection string: expected \
             postgres://user:password@host:port/database (special characters percent-encoded) \
             with options that PostgreSQL knows"
                .to_owned()
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("names no host".into());
        }
        // As in libpq, TLS is for TCP: the server offers none on a Unix socket.
        if config.get_hostaddrs().is_empty()
            && config.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_)))
        {
            ssl_mode = SslMode::Disable;
        }
        if ssl_mode == SslMode::Require && root_cert.is_some() {
            ssl_mode = SslMode::VerifyCa; // as libpq does
        }
        config.ssl_mode(match ssl_mode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            _ => tokio_postgres::config::SslMode::Require,
        });
        Ok(Self { config, ssl_mode, root_cert })
    }
}

type Pairs = Vec<(String, String)>;

fn is_ours(key: &str) -> bool {
    key.starts_with("ssl") && key != "sslnegotiation"
}

fn take_from_url(text: &str) -> Result<(String, Pairs), String> {
    let Some((base, query)) = text.split_once('?') else {
        return Ok((text.to_owned(), Vec::new()));
    };
    let mut kept = Vec::new();
    let mut ours = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some((key, value)) if is_ours(key) => {
                ours.push((key.to_owned(), percent_decode(value)?));
            }
            _ => kept.push(pair),
        }
    }
    let rest = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    Ok((rest, ours))
}

fn percent_decode(text: &str) -> Result<String, String> {
    let bad = || "has a bad percent-encoding in its options".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or_else(bad);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).map_err(|_| bad())?);
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

/// Splits `key = 'a value'` pairs: quotes and backslashes as in libpq.
fn take_from_pairs(text: &str) -> Result<(String, Pairs), String> {
    let bad = || "is not a list of `key=value` pairs".to_owned();
    let mut kept = String::new();
    let mut ours = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(bad)?;
        let key = key.trim();
        let mut chars = after.trim_start().char_indices().peekable();
        let after = after.trim_start();
        let quoted = after.starts_with('\'');
        if quoted {
            chars.next();
        }
        let mut value = String::new();
        let mut end = after.len();
        let mut closed = !quoted;
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => value.push(chars.next().ok_or_else(bad)?.1),
                '\'' if quoted => {
                    end = at + 1;
                    closed = true;
                    break;
                }
                c if !quoted && c.is_whitespace() => {
                    end = at;
                    break;
                }
                c => value.push(c),
            }
        }
        if !closed || key.is_empty() {
            return Err(bad());
        }
        if is_ours(key) {
            ours.push((key.to_owned(), value));
        } else {
            kept.push_str(key);
            kept.push('=');
            kept.push_str(&after[..end]);
            kept.push(' ');
        }
        rest = after[end..].trim_start();
    }
    Ok((kept, ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Target {
        Target::parse(text).unwrap()
    }

    #[test]
    fn every_sslmode_of_libpq_is_read() {
        for (text, mode) in [
            ("disable", SslMode::Disable),
            ("allow", SslMode::Prefer),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ] {
            let target = parse(&format!("postgres://u:p@h/db?sslmode={text}&connect_timeout=3"));
            assert_eq!(target.ssl_mode, mode);
            assert_eq!(target.config.get_dbname(), Some("db"));
            assert!(target.config.get_connect_timeout().is_some());
            assert_eq!(parse(&format!("host=h sslmode = {text} user=u")).ssl_mode, mode);
        }
        assert_eq!(parse("postgres://u@h/db").ssl_mode, SslMode::Prefer);
    }

    #[test]
    fn a_root_certificate_makes_require_verify() {
        let target = parse("postgres://u@h/db?sslmode=require&sslrootcert=%2Fetc%2Fca.pem");
        assert_eq!(target.ssl_mode, SslMode::VerifyCa);
        assert_eq!(target.root_cert, Some(PathBuf::from("/etc/ca.pem")));
    }

    #[test]
    fn pairs_keep_their_quotes() {
        let target = parse(r"host=h password='it\'s = a' sslmode='verify-full' dbname=d\ b");
        assert_eq!(target.config.get_password(), Some(&b"it's = a"[..]));
        assert_eq!(target.config.get_dbname(), Some("d b"));
        assert_eq!(target.ssl_mode, SslMode::VerifyFull);
    }

    #[test]
    fn a_unix_socket_needs_no_tls() {
        let target = parse("postgres://u@%2Ftmp/db?sslmode=verify-full");
        assert_eq!(target.ssl_mode, SslMode::Disable);
    }

    #[test]
    fn a_bad_string_says_what_to_change() {
        for (text, expected) in [
            ("mysql://h", "must start with"),
            ("postgres:///db", "names no host"),
            ("postgres://u@h/db?sslmode=maybe", "unknown `sslmode`"),
            ("postgres://u@h/db?sslcert=x", "`sslcert`"),
            ("postgres://u@h/db?nonsense=1", "not a connection string"),
            ("postgres://u@h:port/db", "not a connection string"),
            ("host='h", "pairs"),
        ] {
            let Err(error) = Target::parse(text) else { panic!("{text} was accepted") };
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
