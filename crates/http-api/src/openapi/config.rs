//! Which operations are served, and how.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::glob;
use super::name;
use super::operation::Operation;
use crate::config::ConfigError;

/// How a document becomes tools.
///
/// A configuration file spells it with the same names, and an unknown key is an error.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OpenApiConfig {
    /// The document's file, for [`Apis::import`](crate::Apis::import). Default: none.
    pub file: Option<PathBuf>,
    /// The document's path below the API's base URL, for [`Apis::import`](crate::Apis::import), which gets it as a
    /// call of the API would. Default: none.
    #[serde(serialize_with = "path_alone")]
    pub endpoint: Option<String>,
    /// One tool per operation, or three over all of them. Default: `tools`.
    pub mode: Mode,
    /// What is served: operations that match each list that is not empty. Default: all.
    pub include: Selector,
    /// What is not served, though included: operations that match any entry of any list. Default: none.
    pub exclude: Selector,
    /// Other names and descriptions, by operation id or as `METHOD /path`. Default: none.
    pub overrides: BTreeMap<String, Override>,
    /// What every tool's name begins with, so that the tools of several APIs stay apart: up to 16 of
    /// `A-Z a-z 0-9 _ -`. Default: empty.
    pub prefix: String,
    /// Whether tools tell the schema of what they answer. An answer that breaks it is then given as an error, as
    /// clients expect; without schemas any answer is good. Default: true.
    pub output_schemas: bool,
    /// Whether operations that the document calls deprecated are served. Default: true.
    pub deprecated: bool,
    /// Tools from which on the report warns that a list is too long for a model. Default: 40.
    pub max_tools: usize,
    /// Bytes of definitions from which on the report warns. Default: 65536.
    pub max_bytes: usize,
}

/// How operations are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// Each operation is a tool.
    #[default]
    Tools,
    /// `search_operations`, `describe_operation` and `call_operation` serve all of them: a few hundred tokens,
    /// however many operations there are.
    Search,
}

/// Which operations are meant.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Selector {
    /// Tags, as the document writes them.
    pub tags: Vec<String>,
    /// Paths as the document writes them, in which `*` stands for anything within a segment and `**` for anything.
    pub paths: Vec<String>,
    /// Methods, in any case.
    pub methods: Vec<String>,
    /// Operation ids, with stars as in paths.
    pub operations: Vec<String>,
}

/// What an operation is called instead.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Override {
    /// The tool's name, with no prefix added: up to 64 of `A-Z a-z 0-9 _ -`. Default: as the document has it.
    pub name: Option<String>,
    /// What a model reads about it. Default: as the document has it.
    pub description: Option<String>,
}

/// Characters of a prefix at most: the rest of a name must still tell operations apart.
const MAX_PREFIX: usize = 16;

/// Shows a path without its parameters, which may be secrets.
fn path_alone<S: Serializer>(endpoint: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let shown = endpoint.as_deref().map(|text| match text.split_once('?') {
        Some((path, _)) => format!("{path}?[redacted]"),
        None => text.to_owned(),
    });
    shown.serialize(serializer)
}

impl Default for OpenApiConfig {
    fn default() -> Self {
        Self {
            file: None,
            endpoint: None,
            mode: Mode::Tools,
            include: Selector::default(),
            exclude: Selector::default(),
            overrides: BTreeMap::new(),
            prefix: String::new(),
            output_schemas: true,
            deprecated: true,
            max_tools: 40,
            max_bytes: 64 << 10,
        }
    }
}

impl OpenApiConfig {
    /// Checks what can be checked without a document.
    ///
    /// # Errors
    ///
    /// Names the first key that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |key: String, problem: &str| Err(ConfigError::new(key, problem));
        if self.file.is_some() && self.endpoint.is_some() {
            return refuse("endpoint".into(), "cannot stand beside `file`: the document is in one place");
        }
        if !is_name(&self.prefix, MAX_PREFIX) && !self.prefix.is_empty() {
            return refuse("prefix".into(), "must be up to 16 of A-Z, a-z, 0-9, `_` and `-`");
        }
        let mut names = BTreeMap::new();
        for (operation, over) in &self.overrides {
            let Some(name) = &over.name else { continue };
            if !is_name(name, name::MAX_LENGTH) {
                return refuse(
                    format!("overrides.{operation:?}.name"),
                    "must be 1 to 64 of A-Z, a-z, 0-9, `_` and `-`",
                );
            }
            if let Some(other) = names.insert(name.to_ascii_lowercase(), operation) {
                let problem = format!("must not be `{name}`: it is the name of {other:?}, too");
                return refuse(format!("overrides.{operation:?}.name"), &problem);
            }
        }
        for (key, selector) in [("include", &self.include), ("exclude", &self.exclude)] {
            let is_method =
                |method: &String| !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic());
            if !selector.methods.iter().all(is_method) {
                return refuse(format!("{key}.methods"), "must hold methods, each one word such as GET");
            }
            if !selector.paths.iter().all(|path| path.starts_with(['/', '*'])) {
                return refuse(format!("{key}.paths"), "must hold paths that begin with `/` or `*`");
            }
        }
        Ok(())
    }

    pub(super) fn serves(&self, operation: &Operation) -> bool {
        let include = &self.include;
        (include.tags.is_empty() || include.has_tag(operation))
            && (include.paths.is_empty() || include.has_path(operation))
            && (include.methods.is_empty() || include.has_method(operation))
            && (include.operations.is_empty() || include.has_id(operation))
            && !self.exclude.matches_any(operation)
            && (self.deprecated || !operation.is_deprecated())
    }

    /// What the configuration says of one operation.
    pub(super) fn override_of(&self, operation: &Operation) -> Option<(&str, &Override)> {
        let by_id = operation.id().and_then(|id| self.overrides.get_key_value(id));
        let place = || self.overrides.get_key_value(&format!("{} {}", operation.method(), operation.path()));
        by_id.or_else(place).map(|(key, over)| (key.as_str(), over))
    }
}

fn is_name(text: &str, max: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=max).contains(&text.len()) && text.bytes().all(allowed)
}

impl Selector {
    fn matches_any(&self, operation: &Operation) -> bool {
        self.has_tag(operation)
            || self.has_path(operation)
            || self.has_method(operation)
            || self.has_id(operation)
    }

    fn has_tag(&self, operation: &Operation) -> bool {
        operation.tags().iter().any(|tag| self.tags.contains(tag))
    }

    fn has_path(&self, operation: &Operation) -> bool {
        self.paths.iter().any(|pattern| glob::matches(pattern, operation.path()))
    }

    fn has_method(&self, operation: &Operation) -> bool {
        self.methods.iter().any(|method| method.eq_ignore_ascii_case(operation.method().as_str()))
    }

    fn has_id(&self, operation: &Operation) -> bool {
        operation.id().is_some_and(|id| self.operations.iter().any(|pattern| glob::matches(pattern, id)))
    }
}
