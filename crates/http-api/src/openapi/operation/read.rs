//! Reads the operations of a document, each by itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use serde_json::Value;

use super::{Operation, Skipped, template};
use crate::openapi::body;
use crate::openapi::document::{Dialect, Document};
use crate::openapi::name::{self, Naming};
use crate::openapi::node::Node;
use crate::openapi::output::{self, Output};
use crate::openapi::plan::Plan;
use crate::openapi::{argument, parameter};

const METHODS: &[&str] = &["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// What holds for all operations of a document.
struct Common<'a> {
    document: &'a Document,
    /// Places of credentials, as `(in, name)`.
    keys: BTreeSet<(String, String)>,
    security: Vec<Vec<(String, Vec<String>)>>,
    consumes: Vec<&'a str>,
    produces: Vec<&'a str>,
}

pub(in crate::openapi) fn read_all(document: &Document) -> (Vec<Operation>, Vec<Skipped>) {
    let root = document.root();
    let keys = document.security_schemes().into_iter().filter_map(|scheme| match scheme.kind {
        crate::openapi::SecurityKind::ApiKey { location, name } => Some((location, name)),
        _ => None,
    });
    let common = Common {
        document,
        keys: keys.collect(),
        security: root.get("security").map(|node| security(&node)).unwrap_or_default(),
        consumes: strings(&root, "consumes"),
        produces: strings(&root, "produces"),
    };
    let mut operations = Vec::new();
    let mut skipped = Vec::new();
    let mut skip = |method: &str, path: &str, reason: String| {
        skipped.push(Skipped { method: method.to_owned(), path: path.to_owned(), reason });
    };
    for (path, item) in root.get("paths").map(|paths| paths.members()).unwrap_or_default() {
        if path.starts_with("x-") {
            continue;
        }
        let item = match document.follow(item) {
            Ok(item) if item.value.is_object() => item,
            Ok(_) => {
                skip("*", path, "the path's item is no object".into());
                continue;
            }
            Err(problem) => {
                skip("*", path, format!("the path's {problem}"));
                continue;
            }
        };
        for (method, node) in methods(&item) {
            match common.read(&method, path, &item, &node) {
                Ok(operation) => operations.push(operation),
                Err(reason) => skip(&method, path, reason),
            }
        }
    }
    rename(&mut operations, "");
    (operations, skipped)
}

/// Names the operations, with a prefix before each name.
pub(in crate::openapi) fn rename(operations: &mut [Operation], prefix: &str) {
    let names = {
        let naming = operations.iter().map(|operation| Naming {
            id: operation.id.as_deref(),
            method: operation.plan.method.as_str(),
            path: &operation.path,
        });
        name::assign(&naming.collect::<Vec<_>>(), prefix)
    };
    for (operation, name) in operations.iter_mut().zip(names) {
        operation.name = name;
    }
}

/// The operations of a path by method, in upper case.
fn methods<'a>(item: &Node<'a>) -> Vec<(String, Node<'a>)> {
    let fixed = METHODS.iter().filter_map(|method| Some((method.to_ascii_uppercase(), item.get(method)?)));
    let mut methods: Vec<_> = fixed.collect();
    if let Some(more) = item.get("additionalOperations") {
        methods.extend(more.members().into_iter().map(|(method, node)| (method.to_owned(), node)));
    }
    methods
}

/// The names of the security schemes that any operation asks for.
pub(in crate::openapi) fn used_schemes(document: &Document) -> Vec<String> {
    let root = document.root();
    let mut names = BTreeSet::new();
    let mut collect = |node: Option<Node<'_>>| {
        for (name, _) in node.map(|node| security(&node)).unwrap_or_default().into_iter().flatten() {
            names.insert(name);
        }
    };
    collect(root.get("security"));
    for (_, item) in root.get("paths").map(|paths| paths.members()).unwrap_or_default() {
        let Ok(item) = document.follow(item) else { continue };
        for (_, operation) in methods(&item) {
            collect(operation.get("security"));
        }
    }
    names.into_iter().collect()
}

fn security(node: &Node<'_>) -> Vec<Vec<(String, Vec<String>)>> {
    let scopes = |scopes: &Value| {
        let scopes = scopes.as_array().map(Vec::as_slice).unwrap_or_default();
        scopes.iter().filter_map(Value::as_str).map(Into::into).collect()
    };
    node.elements()
        .map(|requirement| {
            requirement
                .members()
                .into_iter()
                .map(|(name, node)| (name.to_owned(), scopes(node.value)))
                .collect()
        })
        .collect()
}

fn strings<'a>(node: &Node<'a>, key: &str) -> Vec<&'a str> {
    let list = node.value.as_object().and_then(|members| members.get(key)?.as_array());
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

impl<'a> Common<'a> {
    /// Reads one operation.
    ///
    /// # Errors
    ///
    /// Says why it cannot be served.
    fn read(&self, method: &str, path: &str, item: &Node<'a>, node: &Node<'a>) -> Result<Operation, String> {
        let document = self.document;
        if !node.value.is_object() {
            return Err("it is no object".into());
        }
        if matches!(method, "TRACE" | "CONNECT") {
            return Err(format!("{method} is never sent"));
        }
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|_| "its method is no token".to_owned())?;
        let mut warnings = Vec::new();
        let parameters = parameter::read(document, item, node, &self.keys, &mut warnings)?;
        let mut plain = parameters.plain;
        let own = |key: &str| node.get(key).is_some().then(|| strings(node, key));
        let consumes = own("consumes").unwrap_or_else(|| self.consumes.clone());
        let produces = own("produces").unwrap_or_else(|| self.produces.clone());
        let mut body = match document.dialect() {
            Dialect::V2 => body::read_v2(document, parameters.body, &parameters.form, &consumes)?,
            _ => node.get("requestBody").map(|node| body::read(document, node)).transpose()?.flatten(),
        };
        if body.is_some() && matches!(method, Method::GET | Method::HEAD) {
            warnings.push(format!("its body is left out: {method} has none"));
            body = None;
        }
        let (pieces, fixed_query) = template::read(path, &mut plain, &mut warnings)?;
        argument::assign(&mut plain, body.as_mut());
        let Output { schemas, accept } = output::read(document, node, &produces, &mut warnings);
        let own_security = node.get("security").map(|node| security(&node));
        Ok(Operation {
            document: document.clone(),
            path: path.to_owned(),
            id: node.text("operationId").map(Into::into),
            name: String::new(),
            tags: strings(node, "tags").into_iter().map(Into::into).collect(),
            summary: node.text("summary").or_else(|| item.text("summary")).map(Into::into),
            description: node.text("description").or_else(|| item.text("description")).map(Into::into),
            is_deprecated: node.is_true("deprecated"),
            security: own_security.unwrap_or_else(|| self.security.clone()),
            plan: Arc::new(Plan { method, path: pieces, fixed_query, parameters: plain, body, accept }),
            output: schemas,
            warnings,
        })
    }
}
