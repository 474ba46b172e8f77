//! A folder of skills, as clients see it on the wire and as operators meet it on disk.

mod common;
mod folders;
#[cfg(unix)]
mod links;
mod properties;
mod protocol;
