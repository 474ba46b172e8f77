//! The path of an operation, with its variables.

use std::collections::BTreeSet;

use crate::openapi::encode;
use crate::openapi::parameter::{Location, Parameter, Writing};
use crate::openapi::plan::Piece;
use crate::openapi::style::Style;

/// The pieces of a path, and the query that it may end in.
///
/// # Errors
///
/// When no request could have such a path.
pub(super) fn read(
    path: &str,
    parameters: &mut Vec<Parameter>,
    warnings: &mut Vec<String>,
) -> Result<(Vec<Piece>, Option<String>), String> {
    // Some documents tell paths apart by a fragment, which is never sent.
    let path = path.split('#').next().unwrap_or_default();
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    if query.is_some_and(|query| query.contains(['{', '}'])) {
        return Err("its path has a query with variables".into());
    }
    let mut pieces = Vec::new();
    let mut literal = String::new();
    if !path.starts_with('/') {
        literal.push('/');
    }
    let mut used = BTreeSet::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("its path has a `{` without `}`")?;
        push_literal(&mut literal, before);
        if !literal.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
        }
        let is_it = |parameter: &Parameter| parameter.location == Location::Path && parameter.name == name;
        let at = match parameters.iter().position(is_it) {
            Some(at) => at,
            None if name.is_empty() => return Err("its path has a variable without a name".into()),
            None => {
                warnings
                    .push(format!("the path's variable `{name}` is not declared, so it is taken for text"));
                parameters.push(undeclared(name));
                parameters.len() - 1
            }
        };
        used.insert(at);
        pieces.push(Piece::Value(at));
        rest = after;
    }
    push_literal(&mut literal, rest);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    let text = |piece: &Piece| if let Piece::Text(text) = piece { text.clone() } else { "x".to_owned() };
    if encode::has_dot_segment(&pieces.iter().map(text).collect::<String>()) {
        return Err("its path has `.` or `..` as a part".into());
    }
    remove_unused(parameters, &mut pieces, &used, warnings);
    let query = query.filter(|query| !query.is_empty()).map(|query| {
        let mut out = String::new();
        for (n, pair) in query.split('&').enumerate() {
            if n > 0 {
                out.push('&');
            }
            encode::percent(&mut out, pair, encode::Keep::Reserved);
        }
        out
    });
    Ok((pieces, query))
}

fn push_literal(literal: &mut String, text: &str) {
    encode::percent(literal, text, encode::Keep::Reserved);
}

fn undeclared(name: &str) -> Parameter {
    Parameter {
        argument: String::new(),
        name: name.to_owned(),
        location: Location::Path,
        writing: Writing::Style { style: Style::Simple, explode: false, keep: encode::Keep::Unreserved },
        required: true,
        deprecated: false,
        description: None,
        schema: None,
    }
}

/// Takes out the parameters of the path that are not in it.
fn remove_unused(
    parameters: &mut Vec<Parameter>,
    pieces: &mut [Piece],
    used: &BTreeSet<usize>,
    warnings: &mut Vec<String>,
) {
    let is_unused =
        |at: usize, parameter: &Parameter| parameter.location == Location::Path && !used.contains(&at);
    let removed: Vec<usize> = parameters
        .iter()
        .enumerate()
        .filter(|(at, parameter)| is_unused(*at, parameter))
        .map(|(at, _)| at)
        .collect();
    for at in removed.into_iter().rev() {
        let parameter = parameters.remove(at);
        warnings
            .push(format!("the path parameter `{}` is not in the path, so it is left out", parameter.name));
        for piece in pieces.iter_mut() {
            if let Piece::Value(of) = piece
                && *of > at
            {
                *of -= 1;
            }
        }
    }
}
