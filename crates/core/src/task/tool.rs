//! Tools that run as tasks.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{TaskOptions, Tasks};
use crate::error::Error;
use crate::protocol::ToolDefinition;
use crate::tool::{Tool, ToolCall, ToolResult};

/// A tool that runs as a task, made by [`ToolExt::into_task`](crate::ToolExt::into_task).
pub struct TaskTool<T> {
    tool: Arc<T>,
    tasks: Tasks,
    options: TaskOptions,
}

impl<T: Tool> TaskTool<T> {
    pub(crate) fn new(tool: T, tasks: &Tasks, options: TaskOptions) -> Self {
        Self { tool: Arc::new(tool), tasks: tasks.clone(), options }
    }
}

#[async_trait]
impl<T: Tool> Tool for TaskTool<T> {
    fn definition(&self) -> &ToolDefinition {
        self.tool.definition()
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let (tool, context) = (Arc::clone(&self.tool), call.context().clone());
        let work = move |context| {
            let (tool, mut call) = (Arc::clone(&tool), call.clone());
            *call.context_mut() = context;
            async move { tool.call(call).await }
        };
        self.tasks.begin(context, &self.options, work).await
    }

    fn asks_input(&self) -> bool {
        self.tool.asks_input()
    }
}

impl<T: Tool> fmt::Debug for TaskTool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskTool").field(&self.definition().name).finish()
    }
}
