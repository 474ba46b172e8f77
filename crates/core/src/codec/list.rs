//! Lists in pages, and what stands in them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::encode::{begin, write, write_freshness, write_meta};
use super::{Cursor, CursorKey};
use crate::answer::AnswerKind;
use crate::freshness::Freshness;
use crate::protocol::{
    Icon, PromptArgument, PromptDefinition, ProtocolVersion, ResourceAddress, ResourceDefinition,
    ToolDefinition,
};
use crate::request::Reply;

use ProtocolVersion::{V2025_03_26, V2025_06_18, V2025_11_25};

/// Something of which a list tells.
pub(crate) trait Listed {
    /// What tells it from the others of the list.
    fn key(&self) -> &str;

    /// Writes it as a revision knows it.
    fn serialize<S: Serializer>(&self, version: ProtocolVersion, serializer: S) -> Result<S::Ok, S::Error>;
}

/// A list: the member of the result that has it, and what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<'a, T> {
    pub(crate) member: &'static str,
    pub(crate) items: &'a [&'a T],
    pub(crate) page_size: Option<NonZeroUsize>,
    pub(crate) freshness: Freshness,
    pub(crate) cursor_key: &'a CursorKey,
}

impl<T: Listed> List<'_, T> {
    /// Equal on every replica of one build, so that a cursor of one is good for another; of another list or of another state
    /// of it, a cursor is good for nothing.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.member.hash(&mut hasher);
        self.page_size.hash(&mut hasher);
        self.items.iter().for_each(|item| item.key().hash(&mut hasher));
        hasher.finish()
    }

    /// The pages. There is always one, if only an empty one.
    pub(crate) fn pages(&self, server_meta: &str, version: ProtocolVersion) -> Vec<Reply> {
        let size = self.page_size.map_or(self.items.len().max(1), NonZeroUsize::get);
        let count = self.items.len().div_ceil(size).max(1);
        let digest = self.digest();
        let page = |number: usize| {
            let mut out = begin(version);
            write(&mut out, self.member);
            out.extend_from_slice(b":[");
            for (n, item) in self.items.iter().skip(number * size).take(size).enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write(&mut out, &Versioned(*item, version));
            }
            out.push(b']');
            if number + 1 < count {
                let next = u32::try_from(number + 1).expect("a list has fewer pages than 2^32");
                out.extend_from_slice(br#","nextCursor":"#);
                write(&mut out, &Cursor { digest, page: next }.encode(self.cursor_key));
            }
            write_freshness(&mut out, self.freshness, version);
            write_meta(&mut out, None, server_meta, version);
            out.push(b'}');
            Reply::of(AnswerKind::Complete, out)
        };
        (0..count).map(page).collect()
    }
}

struct Versioned<'a, T>(&'a T, ProtocolVersion);

impl<T: Listed> Serialize for Versioned<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(self.1, serializer)
    }
}

fn entry<M: SerializeMap, T: Serialize>(
    map: &mut M,
    key: &'static str,
    value: Option<&T>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, value))
}

fn icons_and_meta<M: SerializeMap>(
    map: &mut M,
    icons: &Vec<Icon>,
    meta: Option<&Map<String, Value>>,
    version: ProtocolVersion,
) -> Result<(), M::Error> {
    entry(map, "icons", Some(icons).filter(|icons| version >= V2025_11_25 && !icons.is_empty()))?;
    entry(map, "_meta", meta.filter(|_| version >= V2025_06_18))
}

impl Listed for ToolDefinition {
    fn key(&self) -> &str {
        &self.name
    }

    fn serialize<S: Serializer>(&self, version: ProtocolVersion, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &*self.name)?;
        entry(&mut map, "title", self.title.as_ref().filter(|_| version >= V2025_06_18))?;
        map.serialize_entry("description", &self.description)?;
        map.serialize_entry("inputSchema", &self.input_schema)?;
        let speaks = |schema: &&Value| {
            version.is_modern()
                || (version >= V2025_06_18 && schema.get("type") == Some(&Value::from("object")))
        };
        entry(&mut map, "outputSchema", self.output_schema.as_ref().filter(speaks))?;
        let annotations = Some(&self.annotations).filter(|all| version >= V2025_03_26 && !all.is_empty());
        entry(&mut map, "annotations", annotations)?;
        icons_and_meta(&mut map, &self.icons, self.meta.as_ref(), version)?;
        map.end()
    }
}

impl Listed for ResourceDefinition {
    fn key(&self) -> &str {
        self.address.as_str()
    }

    fn serialize<S: Serializer>(&self, version: ProtocolVersion, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let (address, size) = match &self.address {
            ResourceAddress::Uri(_) => ("uri", self.size.as_ref()),
            ResourceAddress::Template(_) => ("uriTemplate", None),
        };
        map.serialize_entry(address, &**self.address.as_str())?;
        map.serialize_entry("name", &self.name)?;
        entry(&mut map, "title", self.title.as_ref().filter(|_| version >= V2025_06_18))?;
        entry(&mut map, "description", self.description.as_ref())?;
        entry(&mut map, "mimeType", self.mime_type.as_ref())?;
        let annotations = self.annotations.clone().map(|annotations| annotations.for_version(version));
        entry(&mut map, "annotations", annotations.as_ref())?;
        entry(&mut map, "size", size)?;
        icons_and_meta(&mut map, &self.icons, self.meta.as_ref(), version)?;
        map.end()
    }
}

impl Listed for PromptDefinition {
    fn key(&self) -> &str {
        &self.name
    }

    fn serialize<S: Serializer>(&self, version: ProtocolVersion, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &*self.name)?;
        entry(&mut map, "title", self.title.as_ref().filter(|_| version >= V2025_06_18))?;
        map.serialize_entry("description", &self.description)?;
        if !self.arguments.is_empty() {
            let arguments: Vec<_> =
                self.arguments.iter().map(|argument| Versioned(argument, version)).collect();
            map.serialize_entry("arguments", &arguments)?;
        }
        icons_and_meta(&mut map, &self.icons, self.meta.as_ref(), version)?;
        map.end()
    }
}

impl Listed for PromptArgument {
    fn key(&self) -> &str {
        &self.name
    }

    fn serialize<S: Serializer>(&self, version: ProtocolVersion, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        entry(&mut map, "title", self.title.as_ref().filter(|_| version >= V2025_06_18))?;
        entry(&mut map, "description", self.description.as_ref())?;
        map.serialize_entry("required", &self.required)?;
        map.end()
    }
}
