//! What an operation's arguments are called.

use std::collections::HashSet;

use super::body::{Body, Shape};
use super::name;
use super::parameter::{Location, Parameter};

/// Names the arguments of an operation.
///
/// Each is called as what it becomes. Where several would be called the same, the first of path, query, header,
/// cookie and body keeps the name, and the others get their place before it: `query_id`, `body_id`.
pub(super) fn assign(parameters: &mut [Parameter], body: Option<&mut Body>) {
    let mut taken = HashSet::new();
    let mut order: Vec<usize> = (0..parameters.len()).collect();
    order.sort_by_key(|at| parameters[*at].location);
    for at in order {
        let parameter = &mut parameters[at];
        let place =
            if parameter.location == Location::QueryString { "query" } else { parameter.location.name() };
        parameter.argument = choose(&mut taken, &parameter.name, place);
    }
    match body.map(|body| &mut body.shape) {
        Some(Shape::Whole { argument }) => *argument = choose(&mut taken, "body", "request"),
        Some(Shape::Members(members)) => {
            for member in members {
                member.argument = choose(&mut taken, &member.name, "body");
            }
        }
        None => {}
    }
}

fn choose(taken: &mut HashSet<String>, wanted: &str, place: &str) -> String {
    let own = name::argument(wanted);
    let own = if own.is_empty() { place.to_owned() } else { own };
    if taken.insert(own.clone()) {
        return own;
    }
    let placed = cut(&format!("{place}_{own}"), name::MAX_LENGTH).to_owned();
    let mut candidate = placed.clone();
    let mut n = 2;
    while !taken.insert(candidate.clone()) {
        let suffix = format!("_{n}");
        candidate = format!("{}{suffix}", cut(&placed, name::MAX_LENGTH - suffix.len()));
        n += 1;
    }
    candidate
}

/// The first bytes of a name, which is ASCII.
fn cut(name: &str, length: usize) -> &str {
    &name[..name.len().min(length)]
}
