//! The command that makes API keys.

use std::io::Write;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use towline_auth::{ApiKey, Scopes};

use crate::Failure;

/// What an API key is to be: the arguments of `api-key`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[non_exhaustive]
pub struct ApiKeyArgs {
    /// Whose key it is, as it stands in logs: 1 to 64 of a-z, A-Z, 0-9 and -
    #[arg(long, value_name = "ID", value_parser = id)]
    pub id: String,

    /// What its holder may do, with commas in between [default: what needs no scope]
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', value_parser = scope)]
    pub scopes: Vec<String>,

    /// When it ends: after so many days or hours, as 90d or 12h, or on a date, as 2027-01-01 [default: never]
    #[arg(long, value_name = "WHEN", value_parser = expiry)]
    pub expires: Option<u64>,

    /// Something to know of its holder for what tells callers apart, as tenant=north; may be given several times
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
    pub claims: Vec<(String, String)>,
}

/// Makes a key: writes it to standard output, in a line of its own, and after an empty line the entry for the file of keys. That
/// has its hash alone, so the key is shown this once.
pub fn api_key(program: &str, args: &ApiKeyArgs) -> ExitCode {
    match write(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(program),
    }
}

fn write(args: &ApiKeyArgs) -> Result<(), Failure> {
    if let Some(name) = given_twice(&args.claims) {
        return Err(Failure::settings(format!("`--claim {name}=` is given twice")));
    }
    let key = ApiKey::generate(&args.id);
    let key = key.ok_or_else(|| Failure::refused("the system gives no random bytes to make a key of"))?;
    let mut key = key.with_scopes(args.scopes.iter().collect::<Scopes>());
    if let Some(expires) = args.expires {
        key = key.until(expires);
    }
    for (name, value) in &args.claims {
        key = key.with_claim(name, value);
    }
    // A key that nobody has read is none.
    let failed =
        |error: std::io::Error| Failure::refused(format!("the key could not be written: {}", error.kind()));
    let mut out = std::io::stdout().lock();
    write!(out, "{}\n\n{}", key.expose(), key.entry()).and_then(|()| out.flush()).map_err(failed)?;
    let _ = writeln!(
        std::io::stderr(),
        "The first line is the key: it is for its holder, and is not shown again. The rest is for the file of `auth.api_keys`."
    );
    Ok(())
}

fn id(text: &str) -> Result<String, &'static str> {
    if ApiKey::is_id(text) { Ok(text.to_owned()) } else { Err("an id has 1 to 64 of a-z, A-Z, 0-9 and -") }
}

fn scope(text: &str) -> Result<String, &'static str> {
    let is_good = |byte: u8| byte.is_ascii_graphic() && !b"\"\\,".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_good) {
        return Ok(text.to_owned());
    }
    Err("a scope has printable letters, without spaces, quotes or backslashes, as db:read")
}

fn claim(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write a name and a value, as tenant=north"),
    }
}

/// The second since 1970 at which a key ends.
/// The name of a claim that has two values.
fn given_twice(claims: &[(String, String)]) -> Option<&str> {
    let is_there_earlier = |at: usize| claims[..at].iter().any(|(name, _)| *name == claims[at].0);
    (1..claims.len()).find(|at| is_there_earlier(*at)).map(|at| &*claims[at].0)
}

fn expiry(text: &str) -> Result<u64, &'static str> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let unit = match text.as_bytes().last() {
        Some(b'd') => Some(86_400),
        Some(b'h') => Some(3600),
        _ => None,
    };
    let lasting = unit.and_then(|unit| text[..text.len() - 1].parse::<u64>().ok()?.checked_mul(unit));
    let at = match lasting {
        Some(lasting) => now.checked_add(lasting),
        None => ApiKey::time_of(text),
    };
    match at {
        // What comes later cannot be written as a date.
        Some(at) if at > now && at < 253_402_300_800 => Ok(at),
        Some(_) => Err("that is over, or further away than dates go"),
        None => Err("write days or hours, as 90d or 12h, or a date, as 2027-01-01"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_from_now_or_a_date() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        for (text, after) in [("90d", 90 * 86_400), ("12h", 12 * 3600)] {
            let at = expiry(text).unwrap();
            assert!((now + after..=now + after + 60).contains(&at), "{text}");
        }
        assert_eq!(expiry("2099-12-31"), Ok(4_102_358_400));
        for wrong in [
            "",
            "d",
            "0d",
            "-1d",
            "90",
            "1w",
            "2020-01-01",
            "99999999999999999999d",
            "9999999999999d",
            "soon",
        ] {
            assert!(expiry(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn scopes_and_claims_are_read_as_they_are_meant() {
        assert_eq!(scope("db:read"), Ok("db:read".into()));
        assert!(scope("a b").is_err() && scope("").is_err() && scope("a\"").is_err());
        assert_eq!(claim("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(claim("=b").is_err() && claim("a").is_err());
        let claims = ["a=1", "b=1", "a=2"].map(|text| claim(text).unwrap());
        assert_eq!((given_twice(&claims[..2]), given_twice(&claims)), (None, Some("a")));
    }
}
