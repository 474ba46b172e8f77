//! The operations of a document.

mod read;
mod template;

use std::sync::Arc;

use http::Method;
use serde::Serialize;
use serde_json::{Map, Value, json};
use towline_core::Error;
use towline_core::protocol::{ToolAnnotations, ToolDefinition};

use super::body::{self, Body, Kind, Shape};
use super::document::Document;
use super::output;
use super::parameter::Writing;
use super::plan::Plan;
use super::schema::{Converter, Direction, Finished};
use super::text;
use crate::request::ApiRequest;
pub(super) use read::{read_all, rename, used_schemes};

/// Bytes of an operation's input schema at most, roughly; what does not fit is left open.
const MAX_INPUT: usize = 64 << 10;

/// Bytes of an operation's output schema at most, roughly; a larger one is left out.
const MAX_OUTPUT: usize = 16 << 10;

const MAX_TITLE: usize = 100;
const MAX_DESCRIPTION: usize = 1024;
const MAX_ARGUMENT_DESCRIPTION: usize = 300;

/// An operation that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Skipped {
    /// The method, such as `GET`; `*` for all of a path.
    pub method: String,
    /// The path, as the document has it.
    pub path: String,
    /// Why it cannot be served.
    pub reason: String,
}

/// An operation of a document.
#[derive(Clone, Debug)]
pub struct Operation {
    document: Document,
    path: String,
    id: Option<String>,
    pub(super) name: String,
    tags: Vec<String>,
    summary: Option<String>,
    description: Option<String>,
    is_deprecated: bool,
    security: Vec<Vec<(String, Vec<String>)>>,
    plan: Arc<Plan>,
    output: Vec<String>,
    warnings: Vec<String>,
}

impl Operation {
    /// The name of its tool: at most 64 of `A-Z a-z 0-9 _ -`, unique in the document.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.plan.method
    }

    /// The path, as the document has it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its `operationId`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its tags.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Its summary, cut to a title's length.
    pub fn title(&self) -> Option<String> {
        let title = text::clean(self.summary.as_deref()?, MAX_TITLE);
        (!title.is_empty()).then_some(title)
    }

    /// What a model reads about it.
    pub fn description(&self) -> String {
        let summary = text::clean(self.summary.as_deref().unwrap_or_default(), MAX_DESCRIPTION);
        let details = text::clean(self.description.as_deref().unwrap_or_default(), MAX_DESCRIPTION);
        let own = match (summary.as_str(), details.as_str()) {
            ("", "") => format!("{} {}", self.plan.method, self.path),
            ("", only) | (only, "") => only.to_owned(),
            (summary, details) if details.starts_with(summary.trim_end_matches('.')) => details.to_owned(),
            (summary, details) => format!("{}. {details}", summary.trim_end_matches('.')),
        };
        let mark = if self.is_deprecated { "Deprecated. " } else { "" };
        text::clean(&format!("{mark}{own}"), MAX_DESCRIPTION)
    }

    /// Whether the document says that it should no longer be used.
    pub fn is_deprecated(&self) -> bool {
        self.is_deprecated
    }

    /// The security schemes that it asks for, with their scopes: all of one of these lists. Empty if it asks for none.
    pub fn security(&self) -> &[Vec<(String, Vec<String>)>] {
        &self.security
    }

    /// What of it could not be mapped.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The request that it makes of arguments, which must have been held against the input schema.
    ///
    /// # Errors
    ///
    /// `InvalidParams` that names the argument, where a value cannot stand where it belongs: no value leads out of
    /// its place in the path.
    pub fn request(&self, arguments: &Map<String, Value>) -> Result<ApiRequest, Error> {
        self.plan.request(arguments)
    }

    /// The schema of its arguments.
    pub fn input_schema(&self) -> Value {
        self.input().0
    }

    /// The schema of its answer, if every success answer is a JSON object and it is not too large.
    pub fn output_schema(&self) -> Option<Value> {
        if self.output.is_empty() {
            return None;
        }
        output::schema(&self.document, &self.output, MAX_OUTPUT).map(|(schema, _)| schema)
    }

    /// Replaces what a model reads about it.
    pub(super) fn describe(&mut self, description: String) {
        (self.summary, self.description) = (None, Some(description));
    }

    /// Its tool, as clients see it, with what could not be mapped.
    pub(super) fn definition(&self, has_output: bool) -> (ToolDefinition, Vec<String>) {
        let (input_schema, mut notes) = self.input();
        let mut definition = ToolDefinition::new(self.name.as_str(), self.description())
            .with_annotations(annotations(&self.plan.method));
        definition.title = self.title();
        definition.input_schema = input_schema;
        if has_output && !self.output.is_empty() {
            match output::schema(&self.document, &self.output, MAX_OUTPUT) {
                Some((schema, more)) => {
                    definition.output_schema = Some(schema);
                    notes.extend(more);
                }
                None => notes.push("its output schema is left out, as it is too large".into()),
            }
        }
        (definition, notes)
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    fn input(&self) -> (Value, Vec<String>) {
        let body = self.plan.body.as_ref();
        let has_files = body.is_some_and(|body| body.kind == Kind::Multipart);
        let mut converter = Converter::new(&self.document, Direction::Input, has_files, MAX_INPUT);
        let mut properties = Map::new();
        let mut required = Vec::new();
        for parameter in &self.plan.parameters {
            let mut schema = match &parameter.schema {
                Some(pointer) => converter.convert(self.document.at(pointer)),
                None if matches!(parameter.writing, Writing::Style { .. } | Writing::Text) => {
                    json!({"type": "string"})
                }
                None => json!({}),
            };
            describe(&mut schema, parameter.description.as_deref(), parameter.deprecated);
            if parameter.required {
                required.push(parameter.argument.clone());
            }
            properties.insert(parameter.argument.clone(), schema);
        }
        match body.map(|body| (body, &body.shape)) {
            Some((body, Shape::Whole { argument })) => {
                let mut schema = self.whole_body(&mut converter, body);
                describe(&mut schema, body.description.as_deref(), false);
                if body.required {
                    required.push(argument.clone());
                }
                properties.insert(argument.clone(), schema);
            }
            Some((_, Shape::Members(members))) => {
                for member in members {
                    properties
                        .insert(member.argument.clone(), converter.convert(self.document.at(&member.schema)));
                    if member.required {
                        required.push(member.argument.clone());
                    }
                }
            }
            None => {}
        }
        let Finished { defs, mut notes, is_cut } = converter.finish();
        if is_cut {
            notes.push("its input schema is left open in its depth, as it is too large".into());
        }
        let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        if !defs.is_empty() {
            schema["$defs"] = Value::Object(defs);
        }
        (schema, notes)
    }

    fn whole_body(&self, converter: &mut Converter<'_>, body: &Body) -> Value {
        let schema = body.schema.as_ref().map(|pointer| self.document.at(pointer));
        match body.kind {
            Kind::Text => {
                json!({"type": "string", "description": format!("The body, as {}.", body.media_type)})
            }
            Kind::Binary => body::file_schema(),
            Kind::Json => schema.map_or_else(|| json!({}), |schema| converter.convert(schema)),
            Kind::Form | Kind::Multipart => {
                schema.map_or_else(|| json!({"type": "object"}), |schema| converter.convert(schema))
            }
        }
    }
}

/// Adds what a parameter says of itself to what its schema says.
fn describe(schema: &mut Value, description: Option<&str>, is_deprecated: bool) {
    if *schema == Value::Bool(true) {
        *schema = json!({});
    }
    let Some(members) = schema.as_object_mut() else { return };
    if let Some(text) = description
        && !text.trim().is_empty()
    {
        members.insert("description".into(), text::clean(text, MAX_ARGUMENT_DESCRIPTION).into());
    }
    if is_deprecated {
        members.insert("deprecated".into(), true.into());
    }
}

fn annotations(method: &Method) -> ToolAnnotations {
    // As RFC 9110, 9.2, defines methods; QUERY as its own draft does.
    let is_read = matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS" | "QUERY");
    let mut annotations = ToolAnnotations::default();
    annotations.read_only_hint = Some(is_read);
    annotations.idempotent_hint = Some(is_read || matches!(method.as_str(), "PUT" | "DELETE"));
    annotations.destructive_hint = match method.as_str() {
        "DELETE" => Some(true),
        _ if is_read => Some(false),
        // Whether it destroys anything only the API knows; the protocol's default is the cautious one.
        _ => None,
    };
    annotations.open_world_hint = Some(true);
    annotations
}
