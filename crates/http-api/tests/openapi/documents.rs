//! Documents of real APIs, as npm packages ship them: every operation of each becomes a tool, and the request of each
//! is held against what the document itself says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use towline_core::Schema;
use towline_http_api::ApiRequest;
use towline_http_api::openapi::{self, Document, OpenApiConfig, Operation};

use crate::generate;
use crate::support::{self, Recorder};

/// Reads a file of an installed package.
fn read(file: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/node_modules");
    fs::read(folder.join(file)).unwrap_or_else(|error| {
        panic!("{file} is missing ({error}): `cargo xtask test` installs it, or `npm ci` in tests/clients")
    })
}

#[test]
fn github_s_description_is_served_whole() {
    check("@octokit/openapi/generated/api.github.com.json", 1223);
}

#[test]
fn figma_s_description_is_served_whole() {
    check("@figma/rest-api-spec/openapi/openapi.yaml", 54);
}

#[test]
fn directus_description_is_served_whole() {
    check("@directus/specs/dist/openapi.json", 136);
}

#[test]
fn blockfrost_s_description_is_served_whole() {
    check("@blockfrost/openapi/openapi.yaml", 129);
}

#[test]
fn readme_s_examples_of_every_version_are_served_whole() {
    for (file, count) in [
        ("2.0/json/petstore.json", 20),
        ("2.0/yaml/petstore-expanded.yaml", 4),
        ("3.0/json/parameters-style.json", 25),
        ("3.0/json/star-trek.json", 120),
        ("3.0/yaml/schema-circular.yaml", 3),
        ("3.1/json/train-travel.json", 7),
        ("3.1/yaml/readme.yaml", 54),
    ] {
        check(&format!("@readme/oas-examples/{file}"), count);
    }
}

/// Imports a document and calls every operation.
fn check(file: &str, count: usize) {
    let bytes = read(file);
    let document = Document::parse(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
    let (tools, report) =
        openapi::tools(&document, &OpenApiConfig::default(), Recorder::answering(200, "", ""));
    assert_eq!(
        (report.skipped.as_slice(), tools.len(), report.operations),
        (&[][..], count, count),
        "{file}"
    );
    let names: BTreeSet<_> = tools.definitions().map(|tool| tool.name.to_ascii_lowercase()).collect();
    assert_eq!(names.len(), count, "{file}");
    for tool in tools.definitions() {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        assert!(tool.name.len() <= 64 && tool.name.bytes().all(is_fit), "{file}: {}", tool.name);
    }
    let rules = Rules { root: tree(file, &bytes) };
    let mut failures = Vec::new();
    for operation in document.operations().0 {
        if let Err(problem) = rules.check(&operation) {
            failures.push(format!("{} {}: {problem}", operation.method(), operation.path()));
        }
    }
    assert!(failures.is_empty(), "{file}: {} failures\n{}", failures.len(), failures.join("\n"));
}

fn tree(file: &str, bytes: &[u8]) -> Value {
    if file.ends_with(".json") {
        return serde_json::from_slice(bytes).unwrap();
    }
    // Another parser than the one under test.
    serde_norway::from_slice(bytes).unwrap()
}

/// What a document says, read without the code under test.
struct Rules {
    root: Value,
}

/// What a document says of a parameter.
struct Declared<'a> {
    place: &'a str,
    name: &'a str,
    required: bool,
    node: &'a Value,
}

impl Rules {
    fn follow<'a>(&'a self, node: &'a Value) -> &'a Value {
        match node.get("$ref").and_then(Value::as_str) {
            Some(reference) => self
                .follow(self.root.pointer(&reference[1..].replace("%7B", "{").replace("%7D", "}")).unwrap()),
            None => node,
        }
    }

    /// Whether a credential stands there: those are the configuration's.
    fn is_credential(&self, place: &str, name: &str) -> bool {
        let schemes =
            self.root.pointer("/components/securitySchemes").or_else(|| self.root.get("securityDefinitions"));
        let mut schemes = schemes.and_then(Value::as_object).into_iter().flat_map(Map::values);
        schemes.any(|scheme| scheme["in"] == place && scheme["name"] == name)
    }

    fn declared<'a>(&'a self, item: &'a Value, operation: &'a Value) -> Vec<Declared<'a>> {
        let mut found: BTreeMap<(&str, &str), Declared<'_>> = BTreeMap::new();
        for level in [item, operation] {
            for node in level.get("parameters").and_then(Value::as_array).into_iter().flatten() {
                let node = self.follow(node);
                let (place, name) = (node["in"].as_str().unwrap(), node["name"].as_str().unwrap());
                let reserved = ["accept", "content-type", "authorization"];
                if self.is_credential(place, name)
                    || (place == "header" && reserved.contains(&name.to_lowercase().as_str()))
                {
                    continue;
                }
                let required = node.get("required") == Some(&Value::Bool(true));
                found.insert((place, name), Declared { place, name, required, node });
            }
        }
        found.into_values().collect()
    }

    fn check(&self, operation: &Operation) -> Result<(), String> {
        let schema = operation.input_schema();
        let compiled = Schema::compile(schema.clone())?;
        let arguments = (0..8).map(|choice| generate::arguments(&schema, choice));
        let arguments = arguments.map(|arguments| (compiled.check_arguments(&arguments), arguments));
        let mut last = String::new();
        for (verdict, arguments) in arguments {
            match verdict {
                Ok(()) => {
                    let request = operation
                        .request(arguments.as_object().unwrap())
                        .map_err(|error| error.to_string())?;
                    return self
                        .check_request(operation, &request)
                        .map_err(|problem| format!("{problem}\n  {request:?}"));
                }
                Err(error) => last = format!("no arguments were found: {error}\n  {arguments}"),
            }
        }
        Err(last)
    }

    fn check_request(&self, operation: &Operation, request: &ApiRequest) -> Result<(), String> {
        let item = self.follow(&self.root["paths"][operation.path()]);
        let node = item.get(operation.method().as_str().to_lowercase()).ok_or("no such method")?;
        let declared = self.declared(item, node);
        // What follows `#` only tells one path of a document from another.
        check_path(operation.path().split('#').next().unwrap(), &request.path)?;

        let query = pairs(request.query.as_deref().unwrap_or_default());
        let of_query: Vec<_> = declared.iter().filter(|one| one.place == "query").collect();
        // An exploded object has the names of its members instead of its own.
        let has_members = of_query.iter().any(|one| {
            let schema = self.follow(one.node.get("schema").unwrap_or(one.node));
            schema.get("properties").is_some()
                || schema.get("type") == Some(&json!("object"))
                || schema.get("oneOf").is_some()
        });
        for (name, _) in &query {
            let base = name.split('[').next().unwrap();
            let is_declared = of_query.iter().any(|one| one.name == name || one.name == base);
            if !is_declared && !has_members {
                return Err(format!("the query has `{name}`, which is not declared"));
            }
        }
        for one in of_query.iter().filter(|one| one.required) {
            if !has_members
                && !query
                    .iter()
                    .any(|(name, _)| name == one.name || name.starts_with(&format!("{}[", one.name)))
            {
                return Err(format!("the query lacks `{}`", one.name));
            }
        }
        for name in request.headers.keys().map(http::HeaderName::as_str) {
            let is_declared =
                declared.iter().any(|one| one.place == "header" && one.name.eq_ignore_ascii_case(name));
            let has_cookie = declared.iter().any(|one| one.place == "cookie");
            let is_known = ["accept", "content-type"].contains(&name) || (name == "cookie" && has_cookie);
            if !is_declared && !is_known {
                return Err(format!("the header `{name}` is not declared"));
            }
        }
        for one in declared.iter().filter(|one| one.place == "header" && one.required) {
            if !request.headers.contains_key(one.name) {
                return Err(format!("the header `{}` is missing", one.name));
            }
        }
        self.check_body(node, &declared, request)
    }

    fn check_body(
        &self,
        node: &Value,
        declared: &[Declared<'_>],
        request: &ApiRequest,
    ) -> Result<(), String> {
        let media_type = request.headers.get("content-type").map(|value| value.to_str().unwrap());
        let Some(body) = &request.body else {
            let is_required =
                node.get("requestBody").is_some_and(|body| self.follow(body)["required"] == true)
                    || declared.iter().any(|one| one.place == "body" && one.required);
            return if is_required { Err("the body is missing".into()) } else { Ok(()) };
        };
        let media_type = media_type.ok_or("the body has no media type")?;
        let essence = media_type.split(';').next().unwrap();
        let schema = match node.get("requestBody") {
            Some(body) => {
                let content = self.follow(body)["content"].as_object().unwrap();
                let media = content.iter().find(|(of, _)| {
                    of.split(';').next().unwrap() == essence
                        || of.contains('*')
                        || *of == "application/octet-stream"
                });
                media.ok_or_else(|| format!("`{essence}` is not declared"))?.1.get("schema")
            }
            None => declared.iter().find(|one| one.place == "body").and_then(|one| one.node.get("schema")),
        };
        if essence.ends_with("json") {
            let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
            let Some(schema) = schema else { return Ok(()) };
            if schema.is_null() {
                return Ok(());
            }
            return Schema::compile(self.standalone(schema))?
                .check(&value)
                .map_err(|problem| format!("the body breaks its schema {problem}"));
        }
        let names: Vec<String> = match essence {
            "application/x-www-form-urlencoded" => {
                pairs(std::str::from_utf8(body).unwrap()).into_iter().map(|(name, _)| name).collect()
            }
            "multipart/form-data" => part_names(media_type, body)?,
            _ => return Ok(()),
        };
        for name in names {
            let base = name.split('[').next().unwrap();
            let is_field = declared.iter().any(|one| one.place == "formData" && one.name == base);
            let is_property =
                schema.is_some_and(|schema| self.follow(schema)["properties"].get(base).is_some());
            if !is_field && !is_property {
                return Err(format!("the body has a field `{name}`, which is not declared"));
            }
        }
        Ok(())
    }

    /// A schema of the document with what it refers to, as JSON Schema reads it.
    fn standalone(&self, schema: &Value) -> Value {
        let mut all = Map::new();
        let mut root = plain(schema);
        let mut queue = references(&root);
        while let Some(reference) = queue.pop() {
            if !all.contains_key(&reference) {
                let target = plain(self.root.pointer(&reference[1..]).unwrap());
                queue.extend(references(&target));
                all.insert(reference, target);
            }
        }
        let defs =
            all.iter().map(|(reference, target)| (key_of(reference), rename(target))).collect::<Map<_, _>>();
        root = rename(&root);
        json!({"allOf": [root], "$defs": defs})
    }
}

/// A path is its template with something in the place of each variable, and no more segments than that.
fn check_path(template: &str, path: &str) -> Result<(), String> {
    let mismatch = || format!("{path} is not of {template}");
    let (expected, found): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    if expected.len() != found.len() {
        return Err(mismatch());
    }
    for (expected, found) in expected.iter().zip(found) {
        let mut rest = found;
        let mut literal_due = true;
        for piece in expected.split(['{', '}']).enumerate() {
            match piece {
                (at, _) if at % 2 == 1 => literal_due = false,
                (_, "") => {}
                (_, literal) if literal_due => rest = rest.strip_prefix(literal).ok_or_else(mismatch)?,
                (_, literal) => {
                    let at = rest.find(literal).filter(|at| *at > 0).ok_or_else(mismatch)?;
                    rest = &rest[at + literal.len()..];
                    literal_due = true;
                }
            }
        }
        if literal_due != rest.is_empty() {
            return Err(mismatch());
        }
    }
    Ok(())
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |text: &str| support::percent_decode(text);
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (decode(name), decode(value))
        })
        .collect()
}

fn part_names(media_type: &str, body: &[u8]) -> Result<Vec<String>, String> {
    let boundary = media_type.split_once("boundary=").ok_or("no boundary")?.1;
    let text = String::from_utf8_lossy(body);
    let inner = text.strip_suffix(&format!("--{boundary}--\r\n")).ok_or("the body does not end")?;
    inner
        .split(&format!("--{boundary}\r\n"))
        .skip(1)
        .map(|part| {
            let name =
                part.strip_prefix("Content-Disposition: form-data; name=\"").ok_or("a part has no name")?;
            Ok(name.split('"').next().unwrap().to_owned())
        })
        .collect()
}

fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(reference) if key == "$ref" => vec![reference.clone()],
                value => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// The whole way to a schema as one key.
fn key_of(reference: &str) -> String {
    reference.replace(['#', '~', '/', '{', '}', '%'], ".")
}

fn rename(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match value {
                Value::String(reference) if key == "$ref" => {
                    (key.clone(), json!(format!("#/$defs/{}", key_of(reference))))
                }
                value => (key.clone(), rename(value)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(rename).collect(),
        other => other.clone(),
    }
}

/// A schema without what only OpenAPI knows, and without what it says of answers.
fn plain(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let hidden: Vec<&String> = members
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter(|(_, property)| property.get("readOnly") == Some(&Value::Bool(true)))
                .map(|(name, _)| name)
                .collect();
            let mut out = Map::new();
            for (key, value) in members {
                match (key.as_str(), value) {
                    ("example" | "examples" | "discriminator" | "pattern" | "default", _) => {}
                    (_, Value::Null) => {}
                    ("exclusiveMinimum" | "exclusiveMaximum" | "required", Value::Bool(_)) => {}
                    ("required", Value::Array(names)) => {
                        let kept = names.iter().filter(|name| !hidden.iter().any(|hidden| *name == *hidden));
                        out.insert(key.clone(), kept.cloned().collect());
                    }
                    (_, value) => {
                        out.insert(key.clone(), plain(value));
                    }
                }
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_catalogue_of_a_thousand_operations_finds_what_is_meant() {
    let document = Document::parse(&read("@octokit/openapi/generated/api.github.com.json")).unwrap();
    let config: OpenApiConfig = serde_json::from_value(json!({"mode": "search"})).unwrap();
    let (tools, report) = openapi::tools(&document, &config, Recorder::answering(200, "", ""));
    assert_eq!((tools.len(), report.operations), (3, 1223));
    assert!(report.bytes < 4000, "{}", report.bytes);
}
