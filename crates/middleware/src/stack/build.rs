//! From settings to layers.

use std::any::Any;
use std::time::Duration;

use tower::util::option_layer;
use tower::{Layer, Service, ServiceBuilder};
use towline_core::protocol::ToolDefinition;
use towline_core::{Error, Failure, Operation, Schema, ToolResult};

use super::{Stack, Switch, ToolLayers};
use crate::audit::AuditLayer;
use crate::bulkhead::BulkheadLayer;
use crate::circuit_breaker::CircuitBreakerLayer;
use crate::metrics::MetricsLayer;
use crate::panic::PanicLayer;
use crate::rate_limit::{RateLimitLayer, RateLimiter};
use crate::retry::RetryLayer;
use crate::timeout::TimeoutLayer;
use crate::trace::TraceLayer;
use crate::validate::ValidateLayer;

impl Stack {
    /// The layers around the whole server. What they hold is shared: of two servers with them, one over stdio and one over
    /// HTTP say, each caller has one allowance, and all calls share the places of one bulkhead.
    pub fn server<S, Req>(
        &self,
    ) -> impl Layer<
        S,
        Service = impl Service<Req, Response = S::Response, Error = S::Error, Future: Send + 'static>
                  + Clone
                  + Send
                  + Sync
                  + 'static
                  + use<S, Req>,
    > + Clone
    + use<S, Req>
    where
        S: Service<Req, Response: Any + Send, Error: From<Error> + Failure + Send, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
        Req: Operation + Send + 'static,
    {
        let config = &self.config.server;
        let audit = config.audit.on().map(|audit| match audit.arguments {
            true => AuditLayer::new().with_arguments(),
            false => AuditLayer::new(),
        });
        let bulkhead = self.server_bulkhead.clone().map(|bulkhead| {
            // A stream would hold its place for as long as its client likes.
            BulkheadLayer::select(move |req: &Req| (!req.is_stream()).then(|| bulkhead.clone()))
        });
        let limit = self.server_limiter.clone().map(RateLimitLayer::shared);
        ServiceBuilder::new()
            .layer(option_layer(config.trace.then(TraceLayer::new)))
            .layer(option_layer(config.metrics.then(|| MetricsLayer::new(&self.metrics))))
            .layer(option_layer(audit))
            .layer(option_layer(self.deadline()))
            .layer(option_layer(limit))
            .layer(option_layer(bulkhead))
            .into_inner()
    }

    /// The deadline of each call: a tool's own, if it has one.
    fn deadline(&self) -> Option<TimeoutLayer> {
        let config = &self.config;
        // Without a general deadline those of single tools still count; nothing else ends.
        let general = config.server.timeout.on().map(|config| config.timeout);
        let own = config.tool.iter().filter_map(|(name, layers)| Some((name, layers.deadline_ms?)));
        let mut own = own.peekable();
        let of_tools = config.tools.deadline_ms.map(Duration::from_millis);
        if general.is_none() && of_tools.is_none() && own.peek().is_none() {
            return None;
        }
        let mut layer =
            TimeoutLayer::new(general.unwrap_or(Duration::MAX)).events(self.metrics.events(), "server");
        if let Some(time) = of_tools {
            layer = layer.tools(time);
        }
        Some(own.fold(layer, |layer, (name, ms)| layer.target(name, Duration::from_millis(ms))))
    }

    /// The layers around one tool.
    pub(super) fn tool<S, Req>(
        &self,
        definition: &ToolDefinition,
    ) -> impl Layer<
        S,
        Service = impl Service<Req, Response = ToolResult, Error = S::Error, Future: Send>
                  + Clone
                  + Send
                  + Sync
                  + 'static
                  + use<S, Req>,
    > + use<S, Req>
    where
        S: Service<
                Req,
                Response = ToolResult,
                Error: From<Error> + Failure + Send + 'static,
                Future: Send + 'static,
            > + Clone
            + Send
            + Sync
            + 'static,
        Req: Operation + Clone + Send + Sync + 'static,
    {
        let name = &*definition.name;
        let events = self.metrics.events();
        let layers = self.config.of_tool(name);
        let limit = self.tool_limiter(name).map(RateLimitLayer::shared);
        let cache = on(&layers.cache).map(|policy| self.cache_layer(name, policy));
        let retry = on(&layers.retry).filter(|_| definition.annotations.is_idempotent());
        let breaker = on(&layers.circuit_breaker)
            .map(|config| CircuitBreakerLayer::shared(self.breaker(&format!("tool:{name}"), config)));
        let bulkhead = on(&layers.bulkhead)
            .map(|config| BulkheadLayer::shared(self.bulkhead(&format!("tool:{name}"), config)));
        let (breakers, bulkheads) = (self.upstreams.clone(), self.upstreams.clone());
        let has_upstreams = !self.upstreams.guards.is_empty();
        let upstream_breaker = has_upstreams.then(|| {
            CircuitBreakerLayer::select(move |req: &Req| {
                breakers.of(req).and_then(|guards| guards.breaker.clone())
            })
        });
        let upstream_bulkhead = has_upstreams.then(|| {
            BulkheadLayer::select(move |req: &Req| {
                bulkheads.of(req).and_then(|guards| guards.bulkhead.clone())
            })
        });
        ServiceBuilder::new()
            .layer(option_layer(self.config.server.trace.then(TraceLayer::new)))
            .layer(option_layer(validate(&layers, definition).map(|layer| layer.events(events, name))))
            .layer(option_layer(limit))
            .layer(option_layer(cache))
            .layer(option_layer(retry.map(|config| RetryLayer::new(*config).events(events, name))))
            .layer(option_layer(breaker))
            .layer(option_layer(upstream_breaker))
            .layer(option_layer(bulkhead))
            .layer(option_layer(upstream_bulkhead))
            .layer(option_layer(
                on(&layers.timeout).map(|config| TimeoutLayer::new(config.timeout).events(events, name)),
            ))
            .layer(PanicLayer::new().events(events, name))
            .into_inner()
    }

    /// The limiter of a tool: its own, or the one that all tools share.
    fn tool_limiter(&self, name: &str) -> Option<RateLimiter> {
        match self.config.tool.get(name).and_then(|layers| layers.rate_limit.as_ref()) {
            Some(own) => own.on().map(|config| self.limiter(&format!("tool.{name}"), config)),
            None => self.shared_limiter.clone(),
        }
    }
}

/// The settings of a layer that is there.
fn on<T>(switch: &Option<Switch<T>>) -> Option<&T> {
    switch.as_ref().and_then(Switch::on)
}

/// Checks beyond a tool's own schema, if there are any.
fn validate(layers: &ToolLayers, definition: &ToolDefinition) -> Option<ValidateLayer> {
    let config = on(&layers.validate)?;
    // Settings were held against what can work, and the tool's own schema is compiled with its set.
    let compile = |schema: &serde_json::Value| Schema::compile(schema.clone()).ok();
    let mut layer = ValidateLayer::new();
    if let Some(schema) = config.arguments.as_ref().and_then(compile) {
        layer = layer.arguments(schema);
    }
    if let Some(schema) = definition.output_schema.as_ref().filter(|_| config.result).and_then(compile) {
        layer = layer.result(schema);
    }
    Some(layer)
}
