//! References that hold for one and the same value. In a circle, such as `A: {allOf: [A]}`, to check a value would never
//! end; in a chain, such as `A: {anyOf: [B, B]}`, `B: {anyOf: [C, C]}` and so on, it would take twice as long with
//! every link.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

/// Cuts every such circle, where it closes, and tells whether there was one.
pub(super) fn cut(defs: &mut BTreeMap<String, Value>, edges: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let closing = find(edges);
    for (from, to) in &closing {
        if let Some(schema) = defs.get_mut(from) {
            open(schema, &format!("#/$defs/{to}"));
        }
    }
    !closing.is_empty()
}

/// The edges that close a circle, found depth first.
fn find(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<(String, String)> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Open,
        Done,
    }
    let mut states: BTreeMap<&str, State> = BTreeMap::new();
    let mut closing = Vec::new();
    for start in edges.keys() {
        if states.contains_key(start.as_str()) {
            continue;
        }
        // On a stack of its own: documents may be deep.
        let mut path = vec![(start.as_str(), edges[start].iter())];
        states.insert(start, State::Open);
        while let Some((from, next)) = path.last_mut() {
            let Some(to) = next.next() else {
                states.insert(from, State::Done);
                path.pop();
                continue;
            };
            match states.get(to.as_str()) {
                Some(State::Open) => closing.push(((*from).to_owned(), to.clone())),
                Some(State::Done) => {}
                None => {
                    states.insert(to, State::Open);
                    if let Some(following) = edges.get(to) {
                        path.push((to, following.iter()));
                    } else {
                        states.insert(to, State::Done);
                    }
                }
            }
        }
    }
    closing
}

/// How often definitions may be looked at for one value.
const MAX_VISITS: u64 = 10_000;

/// Opens the definitions through which one value would be checked against more than [`MAX_VISITS`] others, and tells
/// whether there was one. There must be no circles.
pub(super) fn cut_chains(defs: &mut BTreeMap<String, Value>) -> bool {
    let mut visits: HashMap<String, u64> = HashMap::new();
    let mut is_cut = false;
    let starts: Vec<String> = defs.keys().cloned().collect();
    for start in starts {
        // On a stack of its own: chains may be long.
        let mut path = vec![start];
        while let Some(name) = path.last().cloned() {
            let targets = targets(&defs[&name]);
            let known = |target: &String| visits.contains_key(target) || !defs.contains_key(target);
            if let Some(next) = targets.iter().find(|target| !known(target)) {
                // Should there be a circle after all, it is walked once.
                visits.insert(next.clone(), 1);
                path.push(next.clone());
                continue;
            }
            let of = |target: &String| visits.get(target).copied().unwrap_or(1);
            let mut count = targets.iter().map(of).fold(1, u64::saturating_add);
            if count > MAX_VISITS {
                for target in targets.iter().collect::<BTreeSet<_>>() {
                    if let Some(schema) = defs.get_mut(&name) {
                        open(schema, &format!("#/$defs/{target}"));
                    }
                }
                (count, is_cut) = (1, true);
            }
            visits.insert(name, count);
            path.pop();
        }
    }
    is_cut
}

/// The definitions that a schema refers to for its own value, each as often as it does.
fn targets(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut schemas = vec![schema];
    while let Some(schema) = schemas.pop() {
        let Some(members) = schema.as_object() else { continue };
        if let Some(target) = members.get("$ref").and_then(Value::as_str) {
            found.extend(target.strip_prefix("#/$defs/").map(str::to_owned));
        }
        for (key, value) in members {
            match (key.as_str(), value) {
                ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => schemas.extend(parts),
                ("not" | "if" | "then" | "else", part) => schemas.push(part),
                ("dependentSchemas", Value::Object(parts)) => schemas.extend(parts.values()),
                _ => {}
            }
        }
    }
    found
}

/// Opens the references to `target` that hold for the schema's own value.
fn open(schema: &mut Value, target: &str) {
    let Some(members) = schema.as_object_mut() else { return };
    if members.get("$ref").and_then(Value::as_str) == Some(target) {
        members.remove("$ref");
    }
    for (key, value) in members {
        match (key.as_str(), value) {
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                parts.iter_mut().for_each(|part| open(part, target));
            }
            ("not" | "if" | "then" | "else", part) => open(part, target),
            ("dependentSchemas", Value::Object(parts)) => {
                parts.values_mut().for_each(|part| open(part, target));
            }
            _ => {}
        }
    }
}
