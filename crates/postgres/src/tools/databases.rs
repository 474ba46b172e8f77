//! The databases that tools serve, and how a call chooses one.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use towline_core::protocol::ToolDefinition;
use towline_core::{Context, Error, Operation};

use crate::pool::Pool;

/// Tells which of these databases a call of the pack's tools depends on, by its configured name: for layers that
/// guard each database by itself, such as circuit breakers.
///
/// A call that names no database, or none of these, depends on none; the tool refuses it.
pub fn database_of<'a>(
    pools: impl IntoIterator<Item = &'a Pool>,
) -> impl Fn(&dyn Operation) -> Option<Arc<str>> + Send + Sync + 'static {
    #[derive(Deserialize)]
    struct Arguments {
        database: String,
    }
    let names: Vec<Arc<str>> = pools.into_iter().map(|pool| pool.name().into()).collect();
    move |operation| match &*names {
        [only] => Some(Arc::clone(only)),
        several => {
            let Arguments { database } = operation.arguments()?.parse().ok()?;
            several.iter().find(|name| ***name == *database).cloned()
        }
    }
}

/// The databases that a tool serves. A clone is a refcount.
#[derive(Clone, Debug)]
pub(crate) struct Databases(Arc<[Pool]>);

impl Databases {
    /// Databases in the order in which clients see them; the first is the default.
    pub(crate) fn new(pools: impl IntoIterator<Item = Pool>) -> Self {
        Self(pools.into_iter().collect())
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pool> {
        self.0.iter()
    }

    /// The database that a call names, for its caller. With several, a call must name one.
    pub(crate) fn pick(&self, name: Option<&str>, context: &Context) -> Result<Pool, Error> {
        Ok(self.named(name)?.for_caller(context)?)
    }

    fn named(&self, name: Option<&str>) -> Result<&Pool, Error> {
        match (name, &*self.0) {
            (None, [pool]) => Ok(pool),
            (None, _) => Err(Error::invalid_params(format!(
                "`database` is required: there are several, {}",
                self.names().join(", ")
            ))),
            (Some(name), pools) => pools.iter().find(|pool| pool.name() == name).ok_or_else(|| {
                Error::invalid_params(format!("`database` must be one of {}", self.names().join(", ")))
            }),
        }
    }

    /// Fits a definition whose arguments have an optional `database` to these databases: one needs
    /// no such argument, and of several the call names one.
    pub(crate) fn define(&self, mut definition: ToolDefinition) -> ToolDefinition {
        definition.depends_on_caller = self.iter().any(|pool| pool.config().principal.is_some());
        let schema = &mut definition.input_schema;
        if self.0.len() == 1 {
            if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                properties.remove("database");
            }
            return definition;
        }
        let about: Vec<String> = self
            .0
            .iter()
            .filter_map(|pool| Some(format!("{}: {}", pool.name(), pool.config().description.as_ref()?)))
            .collect();
        let description = format!("The database to ask. {}", about.join(" "));
        schema["properties"]["database"] =
            json!({"type": "string", "enum": self.names(), "description": description.trim_end()});
        if schema.get("required").is_none_or(|required| !required.is_array()) {
            schema["required"] = json!([]);
        }
        if let Some(required) = schema["required"].as_array_mut() {
            required.push("database".into());
        }
        definition
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().map(Pool::name).collect()
    }
}
