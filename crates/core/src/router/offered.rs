//! What is offered at one moment: sets, and the pages that list them.

use std::sync::Arc;

use super::lists::{ListSettings, Pages};
use crate::error::Error;
use crate::prompt::PromptSet;
use crate::request::{Reply, Request};
use crate::resource::ResourceSet;
use crate::tool::ToolSet;

/// What is offered at one moment. A change makes another one; what has not changed is shared.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    lists: ListSettings,
    tools: Arc<ToolSet>,
    resources: Arc<ResourceSet>,
    prompts: Arc<PromptSet>,
    tool_pages: Arc<Pages>,
    resource_pages: Arc<Pages>,
    template_pages: Arc<Pages>,
    prompt_pages: Arc<Pages>,
}

impl Offered {
    pub(super) fn new(
        lists: ListSettings,
        tools: ToolSet,
        resources: ResourceSet,
        prompts: PromptSet,
    ) -> Self {
        let pages = |member| Arc::new(Pages::new(member, lists));
        Self {
            lists,
            tools: Arc::new(tools),
            resources: Arc::new(resources),
            prompts: Arc::new(prompts),
            tool_pages: pages("tools"),
            resource_pages: pages("resources"),
            template_pages: pages("resourceTemplates"),
            prompt_pages: pages("prompts"),
        }
    }

    pub(crate) fn with_tools(&self, tools: ToolSet) -> Self {
        let tool_pages = Arc::new(Pages::new("tools", self.lists));
        Self { tools: Arc::new(tools), tool_pages, ..self.clone() }
    }

    pub(crate) fn with_resources(&self, resources: ResourceSet) -> Self {
        let resource_pages = Arc::new(Pages::new("resources", self.lists));
        let template_pages = Arc::new(Pages::new("resourceTemplates", self.lists));
        Self { resources: Arc::new(resources), resource_pages, template_pages, ..self.clone() }
    }

    pub(crate) fn with_prompts(&self, prompts: PromptSet) -> Self {
        let prompt_pages = Arc::new(Pages::new("prompts", self.lists));
        Self { prompts: Arc::new(prompts), prompt_pages, ..self.clone() }
    }

    pub(crate) fn tools(&self) -> &Arc<ToolSet> {
        &self.tools
    }

    pub(crate) fn resources(&self) -> &Arc<ResourceSet> {
        &self.resources
    }

    pub(crate) fn prompts(&self) -> &Arc<PromptSet> {
        &self.prompts
    }

    /// Whether anything of it may ask for input.
    pub(super) fn asks_input(&self) -> bool {
        self.tools.asks_input() || self.resources.asks_input() || self.prompts.asks_input()
    }

    pub(super) fn list_tools(&self, request: &Request, server_meta: &str) -> Result<Reply, Error> {
        self.tool_pages.answer(request, self.tools.definitions(), server_meta)
    }

    pub(super) fn list_resources(&self, request: &Request, server_meta: &str) -> Result<Reply, Error> {
        let fixed = self.resources.definitions().filter(|one| one.address.template().is_none());
        self.resource_pages.answer(request, fixed, server_meta)
    }

    pub(super) fn list_templates(&self, request: &Request, server_meta: &str) -> Result<Reply, Error> {
        let templates = self.resources.definitions().filter(|one| one.address.template().is_some());
        self.template_pages.answer(request, templates, server_meta)
    }

    pub(super) fn list_prompts(&self, request: &Request, server_meta: &str) -> Result<Reply, Error> {
        self.prompt_pages.answer(request, self.prompts.definitions(), server_meta)
    }
}
