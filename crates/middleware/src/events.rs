//! Counts of what layers do.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Counts what layers do, such as retries and timeouts, by layer, event and the service that they wrap.
///
/// A layer resolves its handles when it is made, so counting is one atomic addition. A clone is a handle to the
/// same counts.
#[derive(Clone, Debug, Default)]
pub struct Events(Family<Labels, Counter>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Labels {
    layer: &'static str,
    event: &'static str,
    service: Arc<str>,
}

impl Events {
    /// The count of one event. `service` names what is wrapped: of a bounded number of names, never text from a
    /// request.
    pub fn counter(&self, layer: &'static str, event: &'static str, service: impl Into<Arc<str>>) -> Counter {
        self.0.get_or_create(&Labels { layer, event, service: service.into() }).clone()
    }

    /// What is to be registered, under the name `towline_layer_events`.
    pub(crate) fn family(&self) -> Family<Labels, Counter> {
        self.0.clone()
    }
}
