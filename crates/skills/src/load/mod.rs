//! From a folder to skills.

mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use self::source::{Kind, Source};
use crate::error::SkillsError;
use crate::file::SkillFile;
use crate::frontmatter;
use crate::limits::Limits;
use crate::place::Place;
use crate::skill::Skill;

/// The file that makes a skill of its folder.
///
/// Source: SEP-2640, "Skill Format".
const SKILL_FILE: &str = "SKILL.md";

/// As deep as folders may nest.
const MAX_DEPTH: usize = 16;

/// All that is served.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) skills: Vec<Skill>,
    pub(crate) files: Vec<Arc<SkillFile>>,
    /// The folders that hold skills or belong to one, by URI.
    pub(crate) folders: BTreeMap<String, Vec<Child>>,
}

/// What lies directly in a folder.
#[derive(Debug)]
pub(crate) enum Child {
    File(Arc<SkillFile>),
    Folder(Place),
}

/// Reads all skills below a folder.
///
/// # Errors
///
/// As [`Skills::from_folder`](crate::Skills::from_folder).
pub(crate) fn load(path: &Path, limits: &Limits) -> Result<Loaded, SkillsError> {
    let source = Source::open(path, limits.max_entries)?;
    let mut walk = Walk { source, limits, bytes: 0, open: Vec::new(), loaded: Loaded::default() };
    walk.folder(&Place::root(), 0)?;
    if walk.loaded.skills.is_empty() {
        return Err(SkillsError::new("", format!("holds no skill: no folder in it has a `{SKILL_FILE}`")));
    }
    Ok(walk.loaded)
}

struct Walk<'a> {
    source: Source,
    limits: &'a Limits,
    /// Of all files read.
    bytes: u64,
    /// The skills in whose folders the walk is, outermost first: each file belongs to all of them.
    open: Vec<Open>,
    loaded: Loaded,
}

/// A skill in whose folder the walk is.
struct Open {
    /// Its place in the list.
    at: usize,
    bytes: u64,
}

impl Walk<'_> {
    /// Reads a folder, and says whether it is to be served: whether it belongs to a skill or holds one.
    fn folder(&mut self, place: &Place, depth: usize) -> Result<bool, SkillsError> {
        if depth > MAX_DEPTH {
            return Err(SkillsError::new(&place.path, format!("lies more than {MAX_DEPTH} folders deep")));
        }
        let names = self.source.names(place)?;
        let is_skill = names.iter().any(|name| name == SKILL_FILE);
        if is_skill {
            if place.is_root() {
                let problem = "must lie in a folder of its own: give the folder around the skill";
                return Err(SkillsError::new(SKILL_FILE, problem));
            }
            self.open.push(Open { at: self.loaded.skills.len(), bytes: 0 });
            let uri = place.join(SKILL_FILE).uri;
            self.loaded.skills.push(Skill { uri, frontmatter: serde_json::Map::new(), files: Vec::new() });
        }
        let mut children = Vec::new();
        for name in names {
            let below = place.join(&name);
            match self.source.kind(&below)? {
                Kind::Folder if name == SKILL_FILE => {
                    return Err(SkillsError::new(&below.path, "must be a file"));
                }
                Kind::Folder => {
                    if self.folder(&below, depth + 1)? {
                        children.push(Child::Folder(below));
                    }
                }
                Kind::File if self.open.is_empty() => {}
                Kind::File => children.push(Child::File(self.file(&below, place)?)),
            }
        }
        let is_served = !self.open.is_empty() || !children.is_empty();
        if is_skill {
            self.open.pop();
        }
        if is_served && !place.is_root() {
            self.loaded.folders.insert(place.uri.clone(), children);
        }
        Ok(is_served)
    }

    /// Reads a file of the skills that are open.
    fn file(&mut self, place: &Place, folder: &Place) -> Result<Arc<SkillFile>, SkillsError> {
        let content = self.source.read(place, self.limits.max_file_bytes)?;
        self.count(place, content.len() as u64)?;
        let file = if place.name() == SKILL_FILE {
            let frontmatter = frontmatter::read(&content, folder.name())
                .map_err(|problem| SkillsError::new(&place.path, problem))?;
            // The innermost skill that is open is the one of this folder.
            let at = self.open.last().expect("a `SKILL.md` opens its skill").at;
            let skill = &mut self.loaded.skills[at];
            skill.frontmatter = frontmatter;
            SkillFile::new(place, content).of_skill(skill.name(), skill.description())
        } else {
            SkillFile::new(place, content)
        };
        let file = Arc::new(file);
        self.loaded.files.push(Arc::clone(&file));
        for open in &self.open {
            self.loaded.skills[open.at].files.push(Arc::clone(&file));
        }
        Ok(file)
    }

    /// Holds what is read against the limits on skills and on the whole.
    fn count(&mut self, place: &Place, bytes: u64) -> Result<(), SkillsError> {
        let limits = self.limits;
        self.bytes += bytes;
        if self.bytes > limits.max_bytes {
            let limit = limits.max_bytes;
            let problem =
                format!("is one too many: together the files have more than {limit} bytes (`max_bytes`)");
            return Err(SkillsError::new(&place.path, problem));
        }
        for open in &mut self.open {
            open.bytes += bytes;
            let skill = &self.loaded.skills[open.at];
            let over = if open.bytes > limits.max_skill_bytes {
                format!("more than {} bytes (`max_skill_bytes`)", limits.max_skill_bytes)
            } else if skill.files.len() >= limits.max_skill_files {
                format!("more than {} files (`max_skill_files`)", limits.max_skill_files)
            } else {
                continue;
            };
            let problem = format!("is one too many: the skill {} has {over}", skill.uri());
            return Err(SkillsError::new(&place.path, problem));
        }
        Ok(())
    }
}
