//! The tool `get_metrics`.

use async_trait::async_trait;
use towline_core::protocol::{ToolAnnotations, ToolDefinition};
use towline_core::{Error, RawJson, Tool, ToolCall, ToolResult};

use super::{Metrics, Snapshot};

/// The tool `get_metrics`: tells what the server has counted, as text and as data.
#[derive(Debug)]
pub struct GetMetrics {
    definition: ToolDefinition,
    metrics: Metrics,
}

impl GetMetrics {
    pub(super) fn new(metrics: Metrics) -> Self {
        let description = "Tells how often this server's tools were called, how often they failed, how long they \
                           took, and what failed last. The figures are those of the one replica that answers, since \
                           it started.";
        let definition = ToolDefinition::new("get_metrics", description)
            .with_title("Metrics")
            .with_output::<Snapshot>()
            .with_annotations(ToolAnnotations::read_only());
        Self { definition, metrics }
    }
}

#[async_trait]
impl Tool for GetMetrics {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, _: ToolCall) -> Result<ToolResult, Error> {
        let snapshot = self.metrics.snapshot();
        Ok(ToolResult::text(snapshot.to_string()).with_structured(RawJson::from_value(&snapshot)?))
    }
}
