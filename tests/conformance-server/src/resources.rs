use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use towline::protocol::{Annotations, CacheScope, Role};
use towline::{FixedResource, ResourceSet, resource_fn};

use crate::{PNG, WATCHED};

/// Resources of every kind.
pub fn resources() -> ResourceSet {
    let text = FixedResource::text(
        "test://static-text",
        "static-text",
        "text/plain",
        "This is the content of the static text resource.",
    )
    .define(|definition| {
        let annotations = Annotations::for_audience([Role::User]).with_last_modified("2026-01-12T15:00:58Z");
        definition
            .with_title("Text")
            .with_description("Text that never changes.")
            .with_annotations(annotations)
    })
    .fresh_for(Duration::from_secs(60), CacheScope::Public);
    let binary = FixedResource::blob("test://static-binary", "static-binary", "image/png", PNG)
        .define(|definition| definition.with_description("A pixel."));
    let watched = FixedResource::text(
        WATCHED,
        "watched-resource",
        "text/plain",
        "This is the content of the watched resource.",
    )
    .define(|definition| definition.with_description("Text that clients may watch."));
    let template = resource_fn("test://template/{id}/data", "template", async |Id { id }: Id| {
        json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")}).to_string()
    })
    .define(|definition| definition.with_description("Data by number.").with_mime_type("application/json"))
    .complete("id", async |_| vec!["123", "124", "200"]);
    ResourceSet::new().with(text).with(binary).with(watched).with(template)
}

#[derive(Deserialize, JsonSchema)]
struct Id {
    id: u32,
}
