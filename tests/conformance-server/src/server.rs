use towline::Router;
use towline::skills::SkillsError;

use crate::{asking, behaviour, changes, content, prompts, resources, rounds, skills};

/// Everything that the suite asks for.
///
/// # Errors
///
/// Those of [`skills`].
pub fn router() -> Result<Router, SkillsError> {
    let mut router = Router::new("conformance-server", env!("CARGO_PKG_VERSION"));
    let registry = router.registry();
    let router = router
        .tools(content())
        .tools(behaviour())
        .tools(asking())
        .tools(rounds())
        .tools(changes(&registry))
        .resources(resources())
        .prompts(prompts());
    Ok(skills()?.install(router))
}
