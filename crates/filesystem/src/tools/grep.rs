//! `grep_files`.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use cap_std::fs::Dir;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkMatch};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::Read;
use towline_core::ToolSet;

use super::page::{self, is_after, may_reach, more};
use super::search::Globs;
use super::tree::below;
use super::{About, Effect, Told, tool};
use crate::disk::{Disk, Filesystem};
use crate::error::FilesystemError;
use crate::job::Job;
use crate::root::open_file;
use crate::walk::{Kind, Next, Walk};

/// Characters of a line that are told.
const MAX_LINE: usize = 500;

/// Bytes of a file of ignore rules that are read.
const MAX_RULES: u64 = 1 << 20;

/// Bytes that a pattern may grow to when it is compiled.
const MAX_PATTERN: usize = 4 << 20;

/// Bytes of one line that are held; a file with a longer one is passed over from there on.
const MAX_BUFFER: usize = 8 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// A regular expression in the syntax of ripgrep; it is held against each line.
    pattern: String,
    /// Where to look: a directory; `.` is the whole.
    path: String,
    /// Globs of files to look in, such as `**/*.rs`. Default: all.
    #[serde(default)]
    include: Vec<String>,
    /// Globs of what to leave out.
    #[serde(default, rename = "excludePatterns")]
    exclude_patterns: Vec<String>,
    /// Takes the pattern as it stands, not as a regular expression.
    #[serde(default)]
    literal: bool,
    /// Takes upper and lower case for the same.
    #[serde(default)]
    ignore_case: bool,
    /// Looks in files that `.gitignore` files name, too.
    #[serde(default)]
    include_ignored: bool,
    /// Where the last page ended.
    cursor: Option<String>,
    /// Matches on a page.
    limit: Option<NonZeroUsize>,
}

#[derive(Serialize, JsonSchema)]
struct Found {
    matches: Vec<Match>,
    /// Files that were too large to look in.
    skipped_large: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Match {
    path: String,
    line: u64,
    text: String,
}

pub(super) fn add(set: ToolSet, files: &Filesystem) -> ToolSet {
    let about = About {
        name: "grep_files",
        title: "Search in files",
        description: "Finds lines that match a regular expression, in all files below a directory. Binary files, and what \
                      `.gitignore` files name, are passed over.",
        effect: Effect::Reads,
    };
    set.with(tool(files, about, run))
}

fn run(disk: &Disk, arguments: Arguments, job: &Job) -> Result<Told<Found>, FilesystemError> {
    let Arguments {
        pattern,
        path,
        include,
        exclude_patterns,
        literal,
        ignore_case,
        include_ignored,
        cursor,
        limit,
    } = arguments;
    let matcher = RegexMatcherBuilder::new()
        .case_insensitive(ignore_case)
        .fixed_strings(literal)
        .line_terminator(Some(b'\n'))
        .size_limit(MAX_PATTERN)
        .dfa_size_limit(MAX_PATTERN)
        .build(&pattern)
        .map_err(|error| FilesystemError::Refused(format!("the pattern cannot be read: {error}")))?;
    let (wanted, excluded) = (Globs::new(&include)?, Globs::new(&exclude_patterns)?);
    // A cursor is a line and a path: what comes before them has been told.
    let cursor = cursor.as_deref().map(|cursor| {
        let (line, path) = cursor.split_once(':').ok_or_else(page::unknown)?;
        Ok((line.parse::<u64>().map_err(|_| page::unknown())?, path))
    });
    let cursor = cursor.transpose()?;
    let after = cursor.map(|(_, path)| path);
    let mut lines = Grep {
        matcher,
        searcher: SearcherBuilder::new()
            .binary_detection(BinaryDetection::quit(0))
            .heap_limit(Some(MAX_BUFFER))
            .line_number(true)
            .build(),
        matches: Vec::new(),
        most: page::size(disk, limit),
        is_cut: false,
    };
    let mut skipped_large = 0;
    let mut folders = disk.folders(&path)?;
    folders.sort_by(|(left, ..), (right, ..)| left.name.cmp(&right.name));
    for (root, dir, base) in folders {
        let mut rules = Rules::new(include_ignored);
        rules.enter(&dir, &base);
        let ended = Walk::new(disk, root, job).below(&dir, &base, &mut |dir, entry, path| {
            let relative = below(path, &base);
            let shown = root.show(path);
            rules.leave(path);
            let is_dir = entry.kind == Kind::Directory;
            if excluded.matches(relative) || !may_reach(&shown, after) || rules.ignores(path, is_dir) {
                return Ok(ControlFlow::Continue(Next::Past));
            }
            if is_dir {
                if let Ok(below) = cap_fs_ext::DirExt::open_dir_nofollow(dir, &entry.name) {
                    rules.enter(&below, path);
                }
                return Ok(ControlFlow::Continue(Next::Into));
            }
            let resumes = cursor.filter(|(_, path)| *path == shown).map_or(0, |(line, _)| line);
            let is_wanted = wanted.is_empty() || wanted.matches(relative);
            if entry.kind != Kind::File || !is_wanted || (resumes == 0 && !is_after(&shown, after)) {
                return Ok(ControlFlow::Continue(Next::Past));
            }
            // What cannot be read is passed over, as what has vanished is.
            let Ok((file, metadata)) = open_file(dir, &entry.name) else {
                return Ok(ControlFlow::Continue(Next::Past));
            };
            if metadata.len() > disk.limits.max_grep_bytes {
                skipped_large += 1;
                return Ok(ControlFlow::Continue(Next::Past));
            }
            let reader = job.reader(file.take(disk.limits.max_grep_bytes));
            lines.search(reader, &shown, resumes);
            job.check()?;
            Ok(if lines.is_cut { ControlFlow::Break(()) } else { ControlFlow::Continue(Next::Past) })
        })?;
        if ended.is_break() {
            break;
        }
    }
    let Grep { matches, is_cut, .. } = lines;
    let next_cursor = matches.last().filter(|_| is_cut).map(|last| format!("{}:{}", last.line, last.path));
    let mut text = String::new();
    for Match { path, line, text: found } in &matches {
        text.push_str(&format!("{path}:{line}:{found}\n"));
    }
    text.truncate(text.trim_end_matches('\n').len());
    if matches.is_empty() {
        text.push_str("No matches found");
    }
    if skipped_large > 0 {
        text.push_str(&format!("\n({skipped_large} files are too large to look in.)"));
    }
    more(&mut text, next_cursor.as_ref());
    Ok(Told { text, data: Found { matches, skipped_large, next_cursor } })
}

/// The lines of a page.
struct Grep {
    matcher: RegexMatcher,
    searcher: Searcher,
    matches: Vec<Match>,
    most: usize,
    is_cut: bool,
}

impl Grep {
    /// Adds the lines of a file that match and come after one. What is read of a file that then fails counts.
    fn search(&mut self, reader: impl Read, path: &str, after: u64) {
        let Self { matcher, searcher, matches, most, is_cut } = self;
        let before = matches.len();
        let sink = Lines { path, after, before, matches, most: *most, is_cut, is_binary: false };
        let _ = searcher.search_reader(&*matcher, reader, sink);
    }
}

/// Takes the lines of one file.
struct Lines<'a> {
    path: &'a str,
    after: u64,
    /// How many lines of other files there are.
    before: usize,
    matches: &'a mut Vec<Match>,
    most: usize,
    is_cut: &'a mut bool,
    is_binary: bool,
}

impl Sink for Lines<'_> {
    type Error = std::io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, Self::Error> {
        let Lines { path, after, matches, most, is_cut, .. } = self;
        let line = found.line_number().unwrap_or(0);
        if line <= *after {
            return Ok(true);
        }
        if matches.len() == *most {
            **is_cut = true;
            return Ok(false);
        }
        let text = String::from_utf8_lossy(found.bytes());
        let text: String = text.trim_end_matches(['\r', '\n']).chars().take(MAX_LINE).collect();
        matches.push(Match { path: (*path).to_owned(), line, text });
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> Result<bool, Self::Error> {
        self.is_binary = true;
        Ok(false)
    }

    fn finish(&mut self, _: &Searcher, _: &grep_searcher::SinkFinish) -> Result<(), Self::Error> {
        // A file may turn out to be binary only after lines of it were taken.
        if self.is_binary && !*self.is_cut {
            self.matches.truncate(self.before);
        }
        Ok(())
    }
}

/// The rules of the `.gitignore` files in the folders in which a walk is, outermost first.
struct Rules {
    is_off: bool,
    stack: Vec<(String, Gitignore)>,
}

impl Rules {
    fn new(is_off: bool) -> Self {
        Self { is_off, stack: Vec::new() }
    }

    fn enter(&mut self, dir: &Dir, path: &str) {
        if self.is_off {
            return;
        }
        let Ok((file, _)) = open_file(dir, ".gitignore") else { return };
        let mut text = String::new();
        if file.take(MAX_RULES).read_to_string(&mut text).is_err() {
            return;
        }
        let mut builder = GitignoreBuilder::new("");
        for line in text.lines() {
            // A line that cannot be read ignores nothing, as git has it.
            let _ = builder.add_line(None, line);
        }
        if let Ok(rules) = builder.build() {
            self.stack.push((path.to_owned(), rules));
        }
    }

    /// Forgets the rules of folders in which a path does not lie.
    fn leave(&mut self, path: &str) {
        let lies_in = |folder: &str| {
            folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        };
        while self.stack.last().is_some_and(|(folder, _)| !lies_in(folder)) {
            self.stack.pop();
        }
    }

    fn ignores(&self, path: &str, is_dir: bool) -> bool {
        // The innermost rule that says something counts.
        let verdicts =
            self.stack.iter().rev().map(|(folder, rules)| rules.matched(below(path, folder), is_dir));
        verdicts.into_iter().find(|verdict| !verdict.is_none()).is_some_and(|verdict| verdict.is_ignore())
    }
}
