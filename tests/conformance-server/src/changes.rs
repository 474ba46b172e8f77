use towline::{Registry, ToolSet, tool_fn};

use crate::WATCHED;

/// Tools that say that something has changed.
pub fn changes(registry: &Registry) -> ToolSet {
    let told = |name, description, tell: fn(&Registry)| {
        let registry = registry.clone();
        tool_fn(name, description, move || {
            tell(&registry);
            async { "told" }
        })
    };
    ToolSet::new()
        .with(told("test_trigger_tool_change", "Says that tools have changed.", Registry::tools_changed))
        .with(told(
            "test_trigger_prompt_change",
            "Says that prompts have changed.",
            Registry::prompts_changed,
        ))
        .with(told("test_trigger_resource_update", "Says that a resource has changed.", |registry| {
            registry.resource_updated(WATCHED);
        }))
}
