//! Folders over MCP, as clients see them on the wire.

mod common;
mod contents;
mod full;
mod health;
mod limits;
mod lists;
mod outside;
mod races;
mod resources;
mod torn;
mod writes;
