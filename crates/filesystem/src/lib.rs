//! Files over MCP: folders that a model may read and write, and nothing outside of them.
//!
//! [`Filesystem::open`] opens the folders of a [`FilesystemConfig`]; [`tools`] and [`resources`] are what a server offers
//! of them, [`watch`] tells its clients what changes, and [`checks`] whether the folders are there:
//!
//! ```no_run
//! use towline_core::{Router, Server};
//! use towline_filesystem::{Filesystem, FilesystemConfig, RootConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = FilesystemConfig::new([RootConfig::new("/srv/notes")]);
//! let files = Filesystem::open(&config)?;
//! let mut router = Router::new("notes", "1.0.0")
//!     .tools(towline_filesystem::tools(&files))
//!     .resources(towline_filesystem::resources(&files));
//! let _watch = towline_filesystem::watch(&files, router.registry())?;
//! let server = Server::new(router);
//! # Ok(())
//! # }
//! ```
//!
//! # Paths
//!
//! With one root, paths are relative to it: `src/main.rs`, and `.` for the root. With several they begin with a root's
//! name, `NAME/src/main.rs`, and `.` lists the roots. A path from the machine's root is taken too if it lies in a root, as
//! clients of the official server send it. Answers always have the first form, so nobody learns where a root lies.
//! `..` is taken away before anything is opened, and refused if it leads above a root.
//!
//! # What cannot be reached
//!
//! Every file is opened part by part, relative to the folder before it, and never through a link: links are read and their
//! parts walked in the same way, so a link that leaves the root is refused, and one that is put in place of a folder
//! meanwhile is refused too. Each part is held against the globs of [`FilesystemConfig::deny`] and, by default, against
//! names that begin with a dot, on the way that links take as well. FIFOs, sockets and devices are not opened.
//!
//! A **hard link** is a file like any other: whoever could make one in a root to a file outside has given that file to the
//! root, and nothing tells the two names apart. So files with more than one name are not written; they can be read. A
//! **mount** in a root belongs to the root. On disks that take two spellings of a name for one, such as those of macOS,
//! globs are held against the name as the caller wrote it, whatever its case; Unicode forms are told apart.
//!
//! # Writing
//!
//! A file is written next to its place under a hidden name, brought to the disk, and renamed: whoever reads sees the old or
//! the new file, also when the disk is full or the process dies in between. A process that dies may leave its hidden file,
//! named `.towline-*.tmp`, which callers never see. The new file has the permissions of the old one, but the owner is the
//! server's user, and extended attributes are lost. With `if_match`, a file is replaced only if it still has that hash: this
//! is exact among the callers of one server; another process may still slip in between the look and the rename.
//!
//! The pack is for Unix systems.

mod config;
mod date;
mod disk;
mod error;
mod health;
mod job;
mod limits;
mod policy;
mod read;
mod resource;
mod root;
mod tools;
mod walk;
mod watch;
mod write;

pub use config::{ConfigError, FilesystemConfig, RootConfig};
pub use disk::Filesystem;
pub use error::FilesystemError;
pub use health::checks;
pub use limits::Limits;
pub use resource::resources;
pub use tools::tools;
pub use watch::{Watch, WatchError, watch};
