//! What tells calls apart.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::{IpAddr, Ipv4Addr};

use towline_core::{ClientAddr, Operation};

use super::config::RateKey;

/// A key, as 128 bits that nobody can foresee.
///
/// The names that callers choose are long and many, so they are not kept. Whoever could make two names fall on one
/// key could use up another's allowance: hence two hashes of the standard library's kind, each with a secret of
/// its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Key(u64, u64);

impl Key {
    pub(super) fn shard(self, of: usize) -> usize {
        self.1 as usize % of
    }

    #[cfg(test)]
    pub(super) fn from_parts(first: u64, second: u64) -> Self {
        Self(first, second)
    }
}

/// Makes keys of what a policy tells apart.
#[derive(Debug)]
pub(super) struct Keys {
    secrets: (RandomState, RandomState),
    parts: Vec<RateKey>,
}

/// What is known of a call's origin and aim.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    principal: Option<&'a str>,
    client: Option<Network>,
    pub(super) tool: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    V4(Ipv4Addr),
    /// The first 64 bits: what one customer gets, who chooses the rest.
    V6(u64),
}

impl<'a> Caller<'a> {
    pub(super) fn of(operation: &'a impl Operation) -> Self {
        let extensions = operation.context().extensions();
        let is_tool = operation.method() == "tools/call";
        Self {
            principal: operation.context().principal().map(towline_core::Principal::id),
            client: extensions.get().map(|ClientAddr(address)| Network::of(address.ip())),
            tool: operation.target().filter(|_| is_tool),
        }
    }

    fn part(&self, part: RateKey) -> Part<'a> {
        match part {
            RateKey::Server => Part::Unknown,
            RateKey::Tool => self.tool.map_or(Part::Unknown, Part::Tool),
            RateKey::Principal => self.principal.map_or_else(|| self.part(RateKey::Client), Part::Principal),
            RateKey::Client => self.client.map_or(Part::Unknown, Part::Client),
        }
    }
}

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// Parts of different kinds never make the same key, whatever they say.
#[derive(Hash)]
enum Part<'a> {
    Unknown,
    Tool(&'a str),
    Principal(&'a str),
    Client(Network),
}

impl Keys {
    pub(super) fn new(parts: &[RateKey]) -> Self {
        let mut parts: Vec<_> = parts.iter().copied().filter(|part| *part != RateKey::Server).collect();
        parts.sort_unstable();
        parts.dedup();
        Self { secrets: Default::default(), parts }
    }

    /// What it tells apart, in an order that is the same for the same.
    pub(super) fn parts(&self) -> &[RateKey] {
        &self.parts
    }

    pub(super) fn key(&self, caller: &Caller<'_>) -> Key {
        let (mut first, mut second) = (self.secrets.0.build_hasher(), self.secrets.1.build_hasher());
        for part in &self.parts {
            let part = caller.part(*part);
            part.hash(&mut first);
            part.hash(&mut second);
        }
        Key(first.finish(), second.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use towline_core::{Context, Principal, RawJson, ToolCall};

    use super::*;

    fn call(tool: &str, principal: Option<&str>, client: Option<&str>) -> ToolCall {
        let mut context = Context::default();
        if let Some(principal) = principal {
            context.extensions_mut().insert(Principal::new(principal));
        }
        if let Some(client) = client {
            context.extensions_mut().insert(ClientAddr(SocketAddr::new(client.parse().unwrap(), 1)));
        }
        ToolCall::new(tool, RawJson::EMPTY_OBJECT, context)
    }

    /// Whether two calls fall on one key.
    fn same(parts: &[RateKey], first: &ToolCall, second: &ToolCall) -> bool {
        let keys = Keys::new(parts);
        keys.key(&Caller::of(first)) == keys.key(&Caller::of(second))
    }

    #[test]
    fn a_key_is_of_what_it_is_made_of_and_of_nothing_else() {
        use RateKey::{Client, Principal, Tool};
        let ann = call("a", Some("ann"), Some("10.0.0.1"));
        for (other, equal) in [
            (call("b", Some("ann"), Some("10.0.0.1")), [false, true, true]),
            (call("a", Some("bob"), Some("10.0.0.1")), [true, false, true]),
            (call("a", Some("ann"), Some("10.0.0.2")), [true, true, false]),
        ] {
            for (part, equal) in [Tool, Principal, Client].into_iter().zip(equal) {
                assert_eq!(same(&[part], &ann, &other), equal, "{part:?}: {other:?}");
                assert!(!same(&[Tool, Principal, Client], &ann, &other));
            }
        }
        assert!(same(&[Tool, Principal, Client], &ann, &ann.clone()));
    }

    #[test]
    fn a_caller_without_a_principal_is_told_by_its_address() {
        let key = [RateKey::Principal];
        let near = call("a", None, Some("10.0.0.1"));
        assert!(!same(&key, &near, &call("a", None, Some("10.0.0.2"))));
        assert!(!same(&key, &near, &call("a", Some("10.0.0.1"), None)));
        assert!(!same(&key, &near, &call("a", None, None)));
        assert!(same(&key, &call("a", None, None), &call("b", None, None)));
    }

    #[test]
    fn a_network_of_64_bits_is_one_client() {
        let same = |first, second| {
            same(&[RateKey::Client], &call("a", None, Some(first)), &call("a", None, Some(second)))
        };
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:10.0.0.1", "10.0.0.1"));
        assert!(!same("::ffff:10.0.0.1", "::ffff:10.0.0.2"));
    }

    #[test]
    fn where_one_part_ends_and_the_next_begins_makes_a_difference() {
        let key = [RateKey::Tool, RateKey::Principal];
        assert!(!same(&key, &call("ab", Some("c"), None), &call("a", Some("bc"), None)));
    }
}
