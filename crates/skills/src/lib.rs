//! A folder of [Agent Skills] as resources of an MCP server, with the methods of the Skills extension (SEP-2640,
//! `io.modelcontextprotocol/skills`).
//!
//! A skill is a folder with a `SKILL.md` in it: instructions for a model, which begin with YAML that names and describes
//! them, and the files that they refer to. [`Skills::from_folder`] reads all skills below a folder, and
//! [`Skills::install`] adds them to a server:
//!
//! ```no_run
//! use towline_core::{Router, Server};
//! use towline_skills::Skills;
//!
//! # fn main() -> Result<(), towline_skills::SkillsError> {
//! let skills = Skills::from_folder("skills")?;
//! let server = Server::new(skills.install(Router::new("office", "1.0.0")));
//! # Ok(())
//! # }
//! ```
//!
//! | on disk | at |
//! |---|---|
//! | `skills/refunds/SKILL.md` | `skill://refunds/SKILL.md` |
//! | `skills/acme/billing/invoices/templates/eu.md` | `skill://acme/billing/invoices/templates/eu.md` |
//!
//! # Why all is read at the start
//!
//! Clients hold what they read against the digests that the list told them, and a user's approval of a skill is bound to
//! these. Files that changed under a running server would fail that check one by one, in the middle of a skill. So the
//! files are read once, within [`Limits`], and served from memory: what is listed is what is read, no request waits for
//! a disk, and no request can name a path. What changes on disk is served after the next start.
//!
//! # What is never read
//!
//! Anything outside of the folder: each file is opened relative to the folder, as [cap-std] does it, so not even a link
//! that appears while the folder is read leads out of it. A link out of it fails the start; so does a link to a folder.
//! Files and folders whose names begin with a dot are skipped, and links to them fail the start. Files that belong to no
//! skill are not opened.
//!
//! [Agent Skills]: https://agentskills.io/specification
//! [cap-std]: https://docs.rs/cap-std

mod error;
mod file;
mod frontmatter;
mod limits;
mod load;
mod media;
mod methods;
mod page;
mod place;
mod skill;
mod skills;

pub use error::SkillsError;
pub use file::SkillFile;
pub use limits::Limits;
pub use skill::Skill;
pub use skills::Skills;

/// The extension's identifier, under which a server declares it.
///
/// Source: SEP-2640, "Capability Declaration".
pub const EXTENSION: &str = "io.modelcontextprotocol/skills";
