//! The skills of a folder.

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use towline_core::protocol::CacheScope;
use towline_core::{ResourceSet, Router};

use crate::error::SkillsError;
use crate::limits::Limits;
use crate::load::{self, Loaded};
use crate::methods::Methods;
use crate::page::Settings;
use crate::skill::Skill;

/// The skills below a folder, as they were when it was read.
#[derive(Debug)]
pub struct Skills {
    loaded: Loaded,
    settings: Settings,
}

impl Skills {
    /// Reads the skills below a folder, within the default [`Limits`].
    ///
    /// Each folder that has a `SKILL.md`, at whatever depth up to 16, is a skill; skills may nest. It blocks while it reads,
    /// so it belongs before the serving.
    ///
    /// # Errors
    ///
    /// When there is no skill; when a `SKILL.md` does not begin with YAML that has a `name`, equal to its folder's, and a
    /// `description`; when a limit is exceeded; when a link leaves the folder, or leads to a folder or to a hidden file;
    /// when a name is no UTF-8; and when something cannot be read. The error names the file and what is wrong with it.
    pub fn from_folder(path: impl AsRef<Path>) -> Result<Self, SkillsError> {
        Self::from_folder_within(path, &Limits::default())
    }

    /// Reads the skills below a folder, within limits of one's own.
    ///
    /// # Errors
    ///
    /// As [`from_folder`](Self::from_folder).
    pub fn from_folder_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Self, SkillsError> {
        Ok(Self { loaded: load::load(path.as_ref(), limits)?, settings: Settings::default() })
    }

    /// Gives lists of skills and of folders in pages of that many entries. Default: all in one. The pages of
    /// `resources/list` are the [router's](Router::page_size).
    #[must_use]
    pub fn page_size(mut self, entries: NonZeroUsize) -> Self {
        self.settings.page_size = Some(entries);
        self
    }

    /// Says how long clients may keep lists, entries and files, and who may share what is kept. Default: 5 minutes,
    /// anyone.
    #[must_use]
    pub fn fresh_for(mut self, ttl: Duration, scope: CacheScope) -> Self {
        (self.settings.ttl, self.settings.scope) = (ttl, scope);
        self
    }

    /// The skills by path, an enclosing one before those nested in it.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Skill> {
        self.loaded.skills.iter()
    }

    /// Adds the skills to a server: their files as resources, and for clients of revision 2026-07-28, the Skills
    /// extension with its methods `skills/list`, `skills/get` and `resources/directory/read`. Clients of older revisions
    /// see the resources only.
    ///
    /// # Panics
    ///
    /// Panics if the router has a resource at the URI of one of the files.
    #[must_use]
    pub fn install(self, router: Router) -> Router {
        let Settings { ttl, scope, .. } = self.settings;
        let files = self.loaded.files.iter();
        let resources =
            files.fold(ResourceSet::new(), |set, file| set.with(file.resource().fresh_for(ttl, scope)));
        Methods::new(&self.loaded, &self.settings).install(router.resources(resources))
    }
}
