//! Serves the skills of a folder, over stdio or at an address:
//!
//! ```sh
//! cargo run -p towline-skills --example skills-server -- path/to/skills
//! cargo run -p towline-skills --example skills-server -- path/to/skills 127.0.0.1:8082
//! ```

use std::error::Error;

use towline_core::{Router, Server};
use towline_skills::Skills;
use towline_transport::{http, stdio};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: skills-server FOLDER [ADDRESS]")?;
    // Before the serving, since it blocks.
    let skills = Skills::from_folder(folder)?;
    for skill in skills.iter() {
        eprintln!("{}: {}", skill.uri(), skill.description());
    }
    let router = Router::new("skills-server", env!("CARGO_PKG_VERSION"));
    let server = Server::new(skills.install(router));
    match arguments.next() {
        Some(address) => http::serve(server, address.as_str()).await?,
        None => stdio::serve(server).await?,
    }
    Ok(())
}
