//! What the server can do, as it tells modern and older clients.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::offered::Offered;
use crate::protocol::ProtocolVersion;

/// What a server can do beyond the protocol's own: settings by the extension's identifier.
pub(super) type Extensions = BTreeMap<Box<str>, Map<String, Value>>;

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Capabilities {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tools: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resources: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prompts: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) completions: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logging: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    extensions: Extensions,
    /// Whether what is offered may change, and clients are told.
    #[serde(skip)]
    pub(super) is_dynamic: bool,
}

impl Capabilities {
    pub(super) fn of(offered: &Offered, is_dynamic: bool, extensions: Extensions) -> Self {
        let completes = offered.resources().has_completions() || offered.prompts().has_completions();
        let told = |names: &[&str]| {
            let names = names.iter().filter(|_| is_dynamic);
            names.map(|name| ((*name).to_owned(), json!(true))).collect::<Map<_, _>>()
        };
        let has = |is_empty: bool| is_dynamic || !is_empty;
        Self {
            tools: has(offered.tools().is_empty()).then(|| told(&["listChanged"])),
            resources: has(offered.resources().is_empty()).then(|| told(&["listChanged", "subscribe"])),
            prompts: has(offered.prompts().is_empty()).then(|| told(&["listChanged"])),
            completions: (completes || is_dynamic).then(Map::new),
            logging: Some(Map::new()),
            extensions,
            is_dynamic,
        }
    }

    /// As an older revision knows them. Where nothing is kept of a client, it can be told of no changes, and cannot say
    /// which log messages it wants for all that follows.
    pub(super) fn for_version(&self, version: ProtocolVersion, has_session: bool) -> Self {
        let mut capabilities = self.clone();
        capabilities.extensions.clear();
        if !has_session {
            capabilities.logging = None;
            let lists = [&mut capabilities.tools, &mut capabilities.resources, &mut capabilities.prompts];
            lists.into_iter().flatten().for_each(Map::clear);
        }
        if version < ProtocolVersion::V2025_03_26 {
            capabilities.completions = None;
        }
        capabilities
    }
}
