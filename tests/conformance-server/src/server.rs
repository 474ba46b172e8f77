use towline::skills::SkillsError;
use towline::{Router, Tasks};

use crate::{asking, behaviour, changes, content, prompts, resources, rounds, skills, tasks};

/// Everything that the suite asks for.
///
/// # Errors
///
/// Those of [`skills`].
pub fn router() -> Result<Router, SkillsError> {
    let mut router = Router::new("conformance-server", env!("CARGO_PKG_VERSION"));
    let registry = router.registry();
    let long_jobs = Tasks::in_memory();
    let router = router
        .tools(content())
        .tools(behaviour())
        .tools(asking())
        .tools(rounds())
        .tools(changes(&registry))
        .tools(tasks(&long_jobs))
        .tasks(&long_jobs)
        .resources(resources())
        .prompts(prompts());
    Ok(skills()?.install(router))
}
