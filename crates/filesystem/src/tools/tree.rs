//! `directory_tree`.

use std::ops::ControlFlow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use towline_core::ToolSet;

use super::search::Globs;
use super::{About, Effect, Told, tool};
use crate::disk::{Disk, Filesystem, Place};
use crate::error::FilesystemError;
use crate::job::Job;
use crate::walk::{Kind, Next, Walk};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The directory; `.` is the whole.
    path: String,
    /// Globs of what to leave out, relative to the directory; a plain name counts at every depth.
    #[serde(default, rename = "excludePatterns")]
    exclude_patterns: Vec<String>,
    /// How many levels to show.
    #[schemars(range(min = 1))]
    max_depth: Option<usize>,
}

#[derive(Serialize, JsonSchema)]
struct Tree {
    path: String,
    tree: Vec<Node>,
    /// Whether entries are missing because there are too many.
    is_cut: bool,
}

#[derive(Serialize, JsonSchema)]
struct Node {
    name: String,
    #[serde(rename = "type")]
    kind: Kind,
    /// Of a directory: what is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    children: Option<Vec<Node>>,
}

pub(super) fn add(set: ToolSet, files: &Filesystem) -> ToolSet {
    let about = About {
        name: "directory_tree",
        title: "Directory tree",
        description: "Shows what is in a directory and all directories below it, as JSON. Leave out what is large with \
                      `excludePatterns`, or show few levels with `max_depth`.",
        effect: Effect::Reads,
    };
    set.with(tool(files, about, run))
}

fn run(disk: &Disk, arguments: Arguments, job: &Job) -> Result<Told<Tree>, FilesystemError> {
    let Arguments { path, exclude_patterns, max_depth } = arguments;
    let excluded = Globs::excluding(&exclude_patterns)?;
    let max_depth = max_depth.unwrap_or(usize::MAX);
    let mut room = disk.limits.page_size.get();
    let (mut tree, mut is_cut) = (Vec::new(), false);
    let is_top = matches!(disk.place(&path)?, Place::Top);
    let mut shown = String::new();
    for (root, dir, base) in disk.folders(&path)? {
        let mut flat = Vec::new();
        let depth_of = |path: &str| path.split('/').count();
        let ground = if base.is_empty() { 0 } else { depth_of(&base) };
        let ended = Walk::new(disk, root, job).below(&dir, &base, &mut |_, entry, path| {
            if excluded.matches(below(path, &base)) {
                return Ok(ControlFlow::Continue(Next::Past));
            }
            if room == 0 {
                return Ok(ControlFlow::Break(()));
            }
            room -= 1;
            let depth = depth_of(path) - ground;
            flat.push((depth, entry.name.clone(), entry.kind));
            Ok(ControlFlow::Continue(if depth < max_depth { Next::Into } else { Next::Past }))
        })?;
        is_cut |= ended.is_break();
        let nodes = nest(&mut flat.into_iter().peekable(), 1);
        if is_top {
            tree.push(Node { name: root.name.clone(), kind: Kind::Directory, children: Some(nodes) });
        } else {
            tree = nodes;
        }
        shown = if is_top { ".".into() } else { root.show(&base) };
    }
    let mut text = serde_json::to_string_pretty(&tree).unwrap_or_default();
    if is_cut {
        text.push_str("\n(There is more: begin further down, or leave something out.)");
    }
    Ok(Told { text, data: Tree { path: shown, tree, is_cut } })
}

/// Makes a tree of entries in the order of a walk, each with its depth.
fn nest(
    flat: &mut std::iter::Peekable<impl Iterator<Item = (usize, String, Kind)>>,
    depth: usize,
) -> Vec<Node> {
    let mut nodes = Vec::new();
    while let Some((_, name, kind)) = flat.next_if(|(found, ..)| *found == depth) {
        let children = (kind == Kind::Directory).then(|| nest(flat, depth + 1));
        nodes.push(Node { name, kind, children });
    }
    nodes
}

/// A path relative to the folder in which a walk began.
pub(super) fn below<'a>(path: &'a str, base: &str) -> &'a str {
    path.strip_prefix(base).map_or(path, |rest| rest.trim_start_matches('/'))
}
