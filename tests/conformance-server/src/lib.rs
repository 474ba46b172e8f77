//! What the official conformance suite asks a server for.
//!
//! The names, arguments and answers are the suite's. [`router`] has all of it; the parts are there for servers that
//! have more.

mod behaviour;
mod content;
mod prompts;
mod resources;
mod schema;
mod server;

pub use behaviour::behaviour;
pub use content::content;
pub use prompts::prompts;
pub use resources::resources;
pub use server::router;

/// One pixel.
const PNG: &[u8] = include_bytes!("pixel.png");
/// One sample.
const WAV: &[u8] = include_bytes!("sample.wav");
