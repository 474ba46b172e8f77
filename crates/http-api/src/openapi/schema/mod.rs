//! Schemas of a document as JSON Schema 2020-12 that stands on its own.
//!
//! References stay references: what they name is converted once and stands in `$defs`, so that cycles end and
//! nothing is repeated. Only what is reached is there.

mod cycles;
mod keyword;
mod value;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use serde_json::{Map, Value};

use super::body;
use super::document::{Dialect, Document};
use super::name;
use super::text;

/// For whom a schema is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// What a model gives: without `readOnly` properties.
    Input,
    /// What the API answers: without `writeOnly` properties, and without bounds, patterns and closed objects, which
    /// answers of real APIs do not keep and a model has no use for.
    Output,
}

impl Direction {
    /// Characters of a description within a schema at most.
    fn description_length(self) -> usize {
        match self {
            Self::Input => 300,
            Self::Output => 120,
        }
    }
}

/// Notes that are kept of one tool at most: more of them tell no more.
const MAX_NOTES: usize = 20;

/// Converts the schemas of one tool.
#[derive(Debug)]
pub(super) struct Converter<'a> {
    document: &'a Document,
    direction: Direction,
    /// Whether bytes are given as file objects, as in a multipart body.
    has_files: bool,
    /// Bytes that may still be written, roughly. Once they are used up, references are left open.
    left: usize,
    is_cut: bool,
    /// The names of definitions by pointer, and all of them.
    names: HashMap<String, String>,
    taken: HashSet<String>,
    queue: VecDeque<(String, String)>,
    defs: BTreeMap<String, Value>,
    /// Which definitions refer to which at the same place of a value: a circle of these would never end.
    edges: BTreeMap<String, BTreeSet<String>>,
    notes: Vec<String>,
}

/// What a converted schema stands on.
#[derive(Debug, Default)]
pub(super) struct Finished {
    /// The members of `$defs`.
    pub(super) defs: Map<String, Value>,
    /// What could not be converted.
    pub(super) notes: Vec<String>,
    /// Whether some references were left open, as the schema would have been too large.
    pub(super) is_cut: bool,
}

impl<'a> Converter<'a> {
    pub(super) fn new(
        document: &'a Document,
        direction: Direction,
        has_files: bool,
        max_bytes: usize,
    ) -> Self {
        Self {
            document,
            direction,
            has_files,
            left: max_bytes,
            is_cut: false,
            names: HashMap::new(),
            taken: HashSet::new(),
            queue: VecDeque::new(),
            defs: BTreeMap::new(),
            edges: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// Whether it has become too large, so that nothing more is converted.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Converts a schema of the document.
    pub(super) fn convert(&mut self, schema: &Value) -> Value {
        self.schema(schema, None)
    }

    /// Converts what the schemas so far refer to.
    pub(super) fn finish(mut self) -> Finished {
        while let Some((pointer, name)) = self.queue.pop_front() {
            let document = self.document;
            let converted = self.schema(document.at(&pointer), Some(&name));
            self.defs.insert(name, converted);
        }
        if cycles::cut(&mut self.defs, &self.edges) {
            self.note("a schema that is its own part is left open".into());
        }
        if cycles::cut_chains(&mut self.defs) {
            self.note("schemas that would take too long to check are left open".into());
        }
        Finished { defs: self.defs.into_iter().collect(), notes: self.notes, is_cut: self.is_cut }
    }

    fn note(&mut self, text: String) {
        if self.notes.len() < MAX_NOTES && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.is_cut |= self.left == 0;
    }

    /// `owner` is the definition whose own values this schema holds for.
    fn schema(&mut self, schema: &Value, owner: Option<&str>) -> Value {
        self.spend(4);
        let members = match schema {
            Value::Object(members) => members,
            Value::Bool(any) => return Value::Bool(*any),
            _ => {
                self.note("a schema that is neither an object nor a boolean is left open".into());
                return Value::Bool(true);
            }
        };
        if self.has_files && body::is_binary(self.document, members) {
            return self.file(members);
        }
        let mut out = Map::new();
        let reference = members.get("$ref").and_then(Value::as_str);
        if let Some(reference) = reference {
            match self.reference(reference, owner) {
                Some(target) => {
                    out.insert("$ref".into(), Value::String(target));
                }
                None if self.document.dialect() != Dialect::V3_1 => return Value::Bool(true),
                None => {}
            }
        }
        for key in ["$dynamicRef", "$recursiveRef"] {
            if members.contains_key(key) {
                self.note(format!("what a `{key}` refers to is left open"));
            }
        }
        // Before version 3.1 nothing beside `$ref` counts, but authors mean what they write of the value as a whole.
        let is_alone = reference.is_some() && self.document.dialect() != Dialect::V3_1;
        let mut keys: Vec<&String> = members.keys().collect();
        keys.sort_unstable();
        for key in keys {
            let value = &members[key.as_str()];
            if is_alone && key != "description" && key != "deprecated" {
                continue;
            }
            self.keyword(&mut out, members, key, value, owner);
        }
        self.tidy(&mut out, members);
        self.nullable(out, members)
    }

    fn file(&mut self, members: &Map<String, Value>) -> Value {
        let mut file = body::file_schema();
        self.spend(250);
        if let (Some(text), Some(file)) =
            (members.get("description").and_then(Value::as_str), file.as_object_mut())
        {
            file.insert("description".into(), text::clean(text, self.direction.description_length()).into());
        }
        file
    }

    /// The reference that stands for one of the document's; none if it is left open.
    fn reference(&mut self, reference: &str, owner: Option<&str>) -> Option<String> {
        let node = match self.document.target(reference) {
            Ok(node) => node,
            Err(problem) => {
                self.note(format!("a schema's {problem}, so it is left open"));
                return None;
            }
        };
        let name = match self.names.get(&node.pointer) {
            Some(name) => name.clone(),
            None if self.is_cut => return None,
            None => {
                let name = self.name(&node.pointer);
                self.names.insert(node.pointer.clone(), name.clone());
                self.queue.push_back((node.pointer, name.clone()));
                name
            }
        };
        self.spend(name.len() + 20);
        if let Some(owner) = owner {
            self.edges.entry(owner.to_owned()).or_default().insert(name.clone());
        }
        Some(format!("#/$defs/{name}"))
    }

    /// A name for what stands at a pointer: that of a shared schema, or else the whole way to it.
    fn name(&mut self, pointer: &str) -> String {
        let shared = ["/components/schemas/", "/definitions/"];
        let own = shared.iter().find_map(|place| pointer.strip_prefix(place));
        let base = name::argument(own.unwrap_or(pointer));
        let base = if base.is_empty() { "schema".to_owned() } else { base };
        let mut name = base.clone();
        let mut n = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{base}_{n}");
            n += 1;
        }
        name
    }
}

#[cfg(test)]
mod tests;
