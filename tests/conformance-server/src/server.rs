use towline::Router;

use crate::{behaviour, content, prompts, resources};

/// Everything that the suite asks for.
pub fn router() -> Router {
    Router::new("conformance-server", env!("CARGO_PKG_VERSION"))
        .tools(content())
        .tools(behaviour())
        .resources(resources())
        .prompts(prompts())
}
