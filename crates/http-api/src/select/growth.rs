//! How much an expression can make of an answer, from its syntax.

use std::collections::HashMap;

use jmespath::ast::Ast;
use towline_core::Error;

use super::invalid;

/// What an expression makes has at most so many bytes.
const MOST_MADE_BYTES: f64 = 64.0 * 1024.0 * 1024.0;

/// What an expression makes has at most so many values.
const MOST_MADE_VALUES: f64 = 2_000_000.0;

/// How large a result, and anything on the way to it, can become, in bytes and in values:
/// `bytes * b + spread * v + added_bytes` and `values * v + added_values`, for an input of `b` bytes and `v` values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    bytes: f64,
    spread: f64,
    added_bytes: f64,
    values: f64,
    added_values: f64,
}

impl Growth {
    /// A part of the input, or `null`.
    const PART: Self = Self { bytes: 1.0, spread: 0.0, added_bytes: 4.0, values: 1.0, added_values: 1.0 };

    /// Something of its own.
    fn constant(bytes: usize) -> Self {
        Self {
            bytes: 0.0,
            spread: 0.0,
            added_bytes: bytes as f64,
            values: 0.0,
            added_values: 1.0 + bytes as f64,
        }
    }

    pub(super) fn fits(self, bytes: usize, values: usize) -> bool {
        let (bytes, values) = (bytes as f64, values as f64);
        self.bytes * bytes + self.spread * values + self.added_bytes <= MOST_MADE_BYTES
            && self.values * values + self.added_values <= MOST_MADE_VALUES
    }

    fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            spread: self.spread + other.spread,
            added_bytes: self.added_bytes + other.added_bytes,
            values: self.values + other.values,
            added_values: self.added_values + other.added_values,
        }
    }

    /// This, and then `next` of its result.
    fn then(self, next: Self) -> Self {
        Self {
            bytes: self.bytes * next.bytes,
            spread: self.spread * next.bytes + self.values * next.spread,
            added_bytes: self.added_bytes * next.bytes + self.added_values * next.spread + next.added_bytes,
            values: self.values * next.values,
            added_values: self.added_values * next.values + next.added_values,
        }
    }

    /// This, and then `each` of each element of its result: there are no more of them than values.
    fn then_each(self, each: Self) -> Self {
        self.then(Self {
            bytes: each.bytes.max(1.0),
            spread: each.spread + each.added_bytes,
            added_bytes: 2.0,
            values: (each.values + each.added_values).max(1.0),
            added_values: 1.0,
        })
    }
}

pub(super) fn growth(node: &Ast) -> Result<Growth, Error> {
    Ok(match node {
        Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Slice { .. } => Growth::PART,
        Ast::Literal { value, .. } => Growth::constant(value.to_string().len()),
        Ast::Flatten { node, .. } | Ast::ObjectValues { node, .. } | Ast::Not { node, .. } => growth(node)?,
        Ast::Expref { ast, .. } => growth(ast)?,
        Ast::Subexpr { lhs, rhs, .. } => growth(lhs)?.then(growth(rhs)?),
        Ast::Projection { lhs, rhs, .. } => growth(lhs)?.then_each(each(rhs)?),
        Ast::Comparison { lhs, rhs, .. } | Ast::And { lhs, rhs, .. } | Ast::Or { lhs, rhs, .. } => {
            growth(lhs)?.and(growth(rhs)?)
        }
        // What the predicate makes is gone before the rest is made.
        Ast::Condition { predicate, then, .. } => {
            let (predicate, then) = (growth(predicate)?, growth(then)?);
            if predicate.bytes <= 2.0 && predicate.values <= 2.0 { then } else { predicate.and(then) }
        }
        Ast::MultiList { elements, .. } => together(elements.iter().map(|element| (0, element)))?,
        Ast::MultiHash { elements, .. } => {
            together(elements.iter().map(|pair| (pair.key.len(), &pair.value)))?
        }
        Ast::Function { name, args, .. } => function(name, args)?,
    })
}

/// As [`growth`], of one element of many: a part of it adds nothing, as `null` is left out of projections.
fn each(node: &Ast) -> Result<Growth, Error> {
    let is_part =
        matches!(node, Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Slice { .. });
    Ok(if is_part { Growth { added_bytes: 0.0, added_values: 0.0, ..Growth::PART } } else { growth(node)? })
}

/// Several results in one. Those that begin with different fields share the input among them.
fn together<'a>(elements: impl Iterator<Item = (usize, &'a Ast)>) -> Result<Growth, Error> {
    let none = Growth { bytes: 0.0, spread: 0.0, added_bytes: 0.0, values: 0.0, added_values: 0.0 };
    let mut of_fields: HashMap<&str, Growth> = HashMap::new();
    let mut all = Growth { added_bytes: 2.0, added_values: 1.0, ..none };
    for (key, element) in elements {
        let one = growth(element)?;
        all.added_bytes += key as f64 + 4.0;
        match first_field(element) {
            Some(field) => {
                let group = of_fields.entry(field).or_insert(none);
                *group = group.and(one);
            }
            None => all = all.and(one),
        }
    }
    let mut most = none;
    for group in of_fields.into_values() {
        most = Growth {
            bytes: most.bytes.max(group.bytes),
            spread: most.spread.max(group.spread),
            added_bytes: most.added_bytes + group.added_bytes,
            values: most.values.max(group.values),
            added_values: most.added_values + group.added_values,
        };
    }
    Ok(all.and(most))
}

/// The field of the input to which all that the expression sees belongs.
fn first_field(node: &Ast) -> Option<&str> {
    match node {
        Ast::Field { name, .. } => Some(name),
        Ast::Subexpr { lhs, .. } | Ast::Projection { lhs, .. } => first_field(lhs),
        Ast::Flatten { node, .. } | Ast::ObjectValues { node, .. } => first_field(node),
        _ => None,
    }
}

fn function(name: &str, args: &[Ast]) -> Result<Growth, Error> {
    if name == "join" && !matches!(args.first(), Some(Ast::Literal { .. })) {
        return Err(invalid("`join` takes its glue as a literal, such as join(', ', tags)"));
    }
    let mut values = Growth::constant(8);
    let mut by: Option<Growth> = None;
    let mut glue = 0;
    for arg in args {
        match arg {
            Ast::Expref { ast, .. } => by = Some(each(ast)?),
            Ast::Literal { value, .. } if name == "join" => glue = value.to_string().len(),
            _ => values = values.and(growth(arg)?),
        }
    }
    if let Some(by) = by {
        // The keys to sort by are there beside the values; `map` gives nothing but what it makes.
        let made = values.then_each(by);
        values = if name == "map" { made } else { values.and(made) };
    }
    Ok(match name {
        // Text in text is escaped: a control character becomes six.
        "to_string" => values.then(Growth { bytes: 6.0, spread: 2.0, ..Growth::PART }),
        "join" => values.then(Growth { spread: glue as f64, ..Growth::PART }),
        _ => values,
    })
}
