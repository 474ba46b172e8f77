//! What the official conformance suite asks a server for.
//!
//! The names, arguments and answers are the suite's. [`router`] has all of it; the parts are there for servers that
//! have more.

mod asking;
mod behaviour;
mod changes;
mod content;
mod prompts;
mod resources;
mod rounds;
mod schema;
mod server;
mod skills;
mod tasks;

pub use asking::asking;
pub use behaviour::behaviour;
pub use changes::changes;
pub use content::content;
pub use prompts::prompts;
pub use resources::resources;
pub use rounds::rounds;
pub use server::router;
pub use skills::skills;
pub use tasks::tasks;

/// One pixel.
const PNG: &[u8] = include_bytes!("pixel.png");
/// One sample.
const WAV: &[u8] = include_bytes!("sample.wav");
/// The resource that clients may watch.
const WATCHED: &str = "test://watched-resource";
