//! Lists that show only what a caller may use.

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use towline_core::Reply;

/// The member of a list's answer that has the entries, and the member of an entry that names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    pub(super) entries: &'static str,
    pub(super) name: &'static str,
}

impl Listing {
    pub(super) fn of(method: &str) -> Option<Self> {
        let (entries, name) = match method {
            "tools/list" => ("tools", "name"),
            "prompts/list" => ("prompts", "name"),
            "resources/list" => ("resources", "uri"),
            "resources/templates/list" => ("resourceTemplates", "uriTemplate"),
            _ => return None,
        };
        Some(Self { entries, name })
    }

    /// The answer with those entries alone that `may` lets stay. What stays is copied as it is. `None` if the answer is no such
    /// list, which then must not be given.
    pub(super) fn keep(self, reply: &Reply, may: impl Fn(&str) -> bool) -> Option<Reply> {
        let Members(members) = serde_json::from_slice(reply.as_bytes()).ok()?;
        let mut out = String::with_capacity(reply.as_bytes().len());
        for (n, (name, value)) in members.iter().enumerate() {
            out.push(if n == 0 { '{' } else { ',' });
            out.push_str(&serde_json::to_string(name).ok()?);
            out.push(':');
            match &**name {
                name if name == self.entries => self.filter(value, &mut out, &may)?,
                // What is shown to one is not what is shown to all.
                "cacheScope" => out.push_str("\"private\""),
                _ => out.push_str(value.get()),
            }
        }
        out.push('}');
        Some(reply.clone().with_bytes(out))
    }

    fn filter(self, entries: &RawValue, out: &mut String, may: &impl Fn(&str) -> bool) -> Option<()> {
        let entries: Vec<&RawValue> = serde_json::from_str(entries.get()).ok()?;
        out.push('[');
        let mut is_first = true;
        for entry in entries {
            let Members(members) = serde_json::from_str(entry.get()).ok()?;
            let name = members.iter().find(|(name, _)| name == self.name);
            let name: String = serde_json::from_str(name?.1.get()).ok()?;
            if may(&name) {
                if !std::mem::take(&mut is_first) {
                    out.push(',');
                }
                out.push_str(entry.get());
            }
        }
        out.push(']');
        Some(())
    }
}

/// The members of an object, in order and unread.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
