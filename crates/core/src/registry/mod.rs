//! What a server offers, to be changed while it runs.

mod changes;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

pub use changes::{Change, Changes, Subscription};

use crate::prompt::{Prompt, PromptSet};
use crate::registration::RegistrationError;
use crate::resource::{Resource, ResourceSet};
use crate::router::Offered;
use crate::tool::{Tool, ToolSet};

/// Adds and removes tools, resources and prompts while the server runs, and tells clients what has changed. A clone is a
/// handle to the same.
///
/// ```
/// use towline_core::{Router, Server, tool_fn};
///
/// let mut router = Router::new("example", "1.0.0");
/// let registry = router.registry();
/// let server = Server::new(router);
///
/// registry.add_tool(tool_fn("ping", "Answers.", async || "pong"))?;
/// registry.remove_tool("ping");
/// # Ok::<_, towline_core::RegistrationError>(())
/// ```
///
/// A call that is running when its tool is removed goes on to its end.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Live>);

/// What is offered at this moment.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// None before the server is made.
    offered: ArcSwapOption<Offered>,
    /// Held by who changes it.
    turn: Mutex<()>,
    changes: Changes,
}

impl Live {
    pub(crate) fn offered(&self) -> arc_swap::Guard<Option<Arc<Offered>>> {
        self.offered.load()
    }
}

impl Registry {
    /// Adds a tool.
    ///
    /// # Errors
    ///
    /// Where [`ToolSet::try_with`] fails, or there is no server yet.
    pub fn add_tool(&self, tool: impl Tool) -> Result<(), RegistrationError> {
        self.update_tools(|tools| tools.try_with(tool))
    }

    /// Removes a tool; false if there is none of that name.
    pub fn remove_tool(&self, name: &str) -> bool {
        let remove = |mut tools: ToolSet| match tools.remove(name) {
            true => Ok(tools),
            false => Err(RegistrationError::new("tool", name, "there is none of that name")),
        };
        self.update_tools(remove).is_ok()
    }

    /// Changes the tools, all at once.
    ///
    /// # Errors
    ///
    /// Where `change` fails, or there is no server yet. Nothing has changed then.
    pub fn update_tools(
        &self,
        change: impl FnOnce(ToolSet) -> Result<ToolSet, RegistrationError>,
    ) -> Result<(), RegistrationError> {
        self.update("tool", |offered| Ok(offered.with_tools(change(ToolSet::clone(offered.tools()))?)))?;
        self.tools_changed();
        Ok(())
    }

    /// Adds a resource, or a template of resources.
    ///
    /// # Errors
    ///
    /// Where [`ResourceSet::try_with`] fails, or there is no server yet.
    pub fn add_resource(&self, resource: impl Resource) -> Result<(), RegistrationError> {
        self.update_resources(|resources| resources.try_with(resource))
    }

    /// Removes the resource at that URI, or with that template as it is written; false if there is none.
    pub fn remove_resource(&self, address: &str) -> bool {
        let remove = |mut resources: ResourceSet| match resources.remove(address) {
            true => Ok(resources),
            false => Err(RegistrationError::new("resource", address, "there is none")),
        };
        self.update_resources(remove).is_ok()
    }

    /// Changes the resources, all at once.
    ///
    /// # Errors
    ///
    /// Where `change` fails, or there is no server yet. Nothing has changed then.
    pub fn update_resources(
        &self,
        change: impl FnOnce(ResourceSet) -> Result<ResourceSet, RegistrationError>,
    ) -> Result<(), RegistrationError> {
        self.update("resource", |offered| {
            Ok(offered.with_resources(change(ResourceSet::clone(offered.resources()))?))
        })?;
        self.resources_changed();
        Ok(())
    }

    /// Adds a prompt.
    ///
    /// # Errors
    ///
    /// Where [`PromptSet::try_with`] fails, or there is no server yet.
    pub fn add_prompt(&self, prompt: impl Prompt) -> Result<(), RegistrationError> {
        self.update_prompts(|prompts| prompts.try_with(prompt))
    }

    /// Removes a prompt; false if there is none of that name.
    pub fn remove_prompt(&self, name: &str) -> bool {
        let remove = |mut prompts: PromptSet| match prompts.remove(name) {
            true => Ok(prompts),
            false => Err(RegistrationError::new("prompt", name, "there is none of that name")),
        };
        self.update_prompts(remove).is_ok()
    }

    /// Changes the prompts, all at once.
    ///
    /// # Errors
    ///
    /// Where `change` fails, or there is no server yet. Nothing has changed then.
    pub fn update_prompts(
        &self,
        change: impl FnOnce(PromptSet) -> Result<PromptSet, RegistrationError>,
    ) -> Result<(), RegistrationError> {
        self.update("prompt", |offered| {
            Ok(offered.with_prompts(change(PromptSet::clone(offered.prompts()))?))
        })?;
        self.prompts_changed();
        Ok(())
    }

    /// Tells clients that the list of tools is to be read anew. What adds or removes tools here tells it by itself.
    pub fn tools_changed(&self) {
        self.0.changes.tell(&Change::Tools);
    }

    /// Tells clients that the lists of resources are to be read anew. What adds or removes resources here tells it by
    /// itself.
    pub fn resources_changed(&self) {
        self.0.changes.tell(&Change::Resources);
    }

    /// Tells clients that the list of prompts is to be read anew. What adds or removes prompts here tells it by itself.
    pub fn prompts_changed(&self) {
        self.0.changes.tell(&Change::Prompts);
    }

    /// Tells clients that watch that resource that it has changed.
    pub fn resource_updated(&self, uri: &str) {
        self.0.changes.tell(&Change::Resource(uri.into()));
    }

    /// Who is told.
    pub(crate) fn changes(&self) -> &Changes {
        &self.0.changes
    }

    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.0
    }

    pub(crate) fn settle(&self, offered: Offered) {
        self.0.offered.store(Some(Arc::new(offered)));
    }

    fn update(
        &self,
        kind: &'static str,
        change: impl FnOnce(&Offered) -> Result<Offered, RegistrationError>,
    ) -> Result<(), RegistrationError> {
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match &*self.0.offered.load() {
            Some(offered) => self.settle(change(offered)?),
            None => return Err(RegistrationError::new(kind, "", "there is no server of this router yet")),
        }
        Ok(())
    }
}
