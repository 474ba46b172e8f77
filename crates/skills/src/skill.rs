//! One skill.

use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::file::SkillFile;

/// A skill: what its `SKILL.md` says of it, and its files.
#[derive(Clone, Debug)]
pub struct Skill {
    pub(crate) uri: String,
    pub(crate) frontmatter: Map<String, Value>,
    pub(crate) files: Vec<Arc<SkillFile>>,
}

impl Skill {
    /// The URI of its `SKILL.md`, which is what identifies it: two skills may have the same name.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Its name: 1 to 64 lower-case letters, digits and single hyphens.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// What it is for and when to use it, in 1 to 1024 characters.
    pub fn description(&self) -> &str {
        self.text("description")
    }

    /// All that the YAML at the beginning of its `SKILL.md` says, as JSON.
    pub fn frontmatter(&self) -> &Map<String, Value> {
        &self.frontmatter
    }

    /// Its files by path, its `SKILL.md` and those of the skills nested in it among them.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &SkillFile> {
        self.files.iter().map(|file| &**file)
    }

    fn text(&self, member: &str) -> &str {
        self.frontmatter.get(member).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Serialize for Skill {
    /// Writes it as lists have it (SEP-2640, "Enumeration via `skills/list`").
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Resource<'a> {
            uri: &'a str,
            digest: &'a str,
            size: u64,
        }
        let resources: Vec<_> = self
            .files()
            .map(|file| Resource { uri: file.uri(), digest: file.digest(), size: file.size() })
            .collect();
        let mut entry = serializer.serialize_struct("Skill", 3)?;
        entry.serialize_field("uri", &self.uri)?;
        entry.serialize_field("frontmatter", &self.frontmatter)?;
        entry.serialize_field("resources", &resources)?;
        entry.end()
    }
}
