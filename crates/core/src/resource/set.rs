//! Sets of resources.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use foldhash::fast::RandomState;
use tower::Layer;

use super::{Resource, ResourceRead, ResourceService};
use crate::arguments::TextSchema;
use crate::completion::{CompletionCall, unknown_argument};
use crate::context::Context;
use crate::error::Error;
use crate::json::RawJson;
use crate::layered::Layered;
use crate::protocol::{Completion, ResourceAddress, ResourceDefinition};
use crate::registration::RegistrationError;
use crate::uri::{self, UriTemplate};

/// Resources by URI, in the order in which they were added.
///
/// A resource at one URI goes before a template that makes the same URI; of several templates that do, the first counts.
#[derive(Clone, Default)]
pub struct ResourceSet {
    entries: Vec<Entry>,
    /// Also templates, as they are written.
    by_address: HashMap<Arc<str>, usize, RandomState>,
    templates: Vec<usize>,
}

#[derive(Clone)]
struct Entry {
    resource: Arc<dyn Resource>,
    /// What the variables of its template are held against.
    input: Option<Arc<TextSchema>>,
}

impl ResourceSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a resource that is known when the program is written.
    ///
    /// # Panics
    ///
    /// Panics where [`try_with`](Self::try_with) fails.
    #[must_use]
    pub fn with(self, resource: impl Resource) -> Self {
        self.try_with(resource).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Adds a resource that comes from configuration or from elsewhere.
    ///
    /// # Errors
    ///
    /// When its URI or template is taken, its URI is none, its schema cannot be compiled, or the schema wants a variable that
    /// the template lacks.
    pub fn try_with(mut self, resource: impl Resource) -> Result<Self, RegistrationError> {
        let resource: Arc<dyn Resource> = Arc::new(resource);
        self.add(&resource)?;
        Ok(self)
    }

    /// Adds the resources of another set.
    ///
    /// # Panics
    ///
    /// Panics if a URI or a template is in both sets.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        for entry in other.entries {
            self.push(entry).unwrap_or_else(|error| panic!("{error}"));
        }
        self
    }

    /// Puts a tower layer around the reading of each resource that is in the set now. A second layer goes around the first.
    ///
    /// The layer is applied once per resource. State that all of them are to share is made first and handed to the layer.
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<ResourceService>,
        Layered<L::Service, dyn Resource>: Resource,
    {
        self.layer_each(|_| &layer)
    }

    /// Puts a tower layer around each resource that is in the set now, made for that resource: `make` sees its definition.
    #[must_use]
    pub fn layer_each<L>(mut self, mut make: impl FnMut(&ResourceDefinition) -> L) -> Self
    where
        L: Layer<ResourceService>,
        Layered<L::Service, dyn Resource>: Resource,
    {
        for entry in &mut self.entries {
            let layer = make(entry.resource.definition());
            entry.resource = Arc::new(ResourceService::layered(Arc::clone(&entry.resource), &layer));
        }
        self
    }

    /// Removes the resource at that URI, or with that template as it is written; false if there is none.
    pub fn remove(&mut self, address: &str) -> bool {
        let Some(at) = self.by_address.remove(address) else { return false };
        self.entries.remove(at);
        self.templates.retain(|template| *template != at);
        let places = self.by_address.values_mut().chain(&mut self.templates);
        places.filter(|other| **other > at).for_each(|other| *other -= 1);
        true
    }

    /// Whether any resource may ask for input.
    pub(crate) fn asks_input(&self) -> bool {
        self.entries.iter().any(|entry| entry.resource.asks_input())
    }

    /// Whether there is a resource at that URI, as far as the set can tell: a template makes URIs of what may not exist.
    pub(crate) fn knows(&self, uri: &str) -> bool {
        self.find(uri).is_ok()
    }

    /// The resource at that URI, or with that template as it is written.
    pub fn get(&self, address: &str) -> Option<&Arc<dyn Resource>> {
        self.by_address.get(address).map(|at| &self.entries[*at].resource)
    }

    /// What the resources and templates tell about themselves, in order.
    pub fn definitions(&self) -> impl ExactSizeIterator<Item = &ResourceDefinition> {
        self.entries.iter().map(|entry| entry.resource.definition())
    }

    /// How many there are, templates included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn add(&mut self, resource: &Arc<dyn Resource>) -> Result<(), RegistrationError> {
        let definition = resource.definition();
        let refuse = |reason: &str| RegistrationError::new("resource", definition.address.as_str(), reason);
        if let ResourceAddress::Uri(uri) = &definition.address {
            uri::check(uri).map_err(refuse)?;
        }
        let input = definition.input_schema.as_ref().map(TextSchema::compile).transpose();
        let input = input.map_err(|reason| refuse(&reason))?.map(Arc::new);
        let has =
            |name: &str| definition.address.template().is_some_and(|template| has_variable(template, name));
        if let Some(missing) = input.as_ref().and_then(|input| input.required().find(|name| !has(name))) {
            return Err(refuse(&format!("it wants the variable `{missing}`, which is not in the template")));
        }
        self.push(Entry { resource: Arc::clone(resource), input })
    }

    fn push(&mut self, entry: Entry) -> Result<(), RegistrationError> {
        let address = &entry.resource.definition().address;
        let at = self.entries.len();
        if self.by_address.contains_key(address.as_str()) {
            return Err(RegistrationError::new(
                "resource",
                address.as_str(),
                "there is another at that address",
            ));
        }
        self.by_address.insert(Arc::clone(address.as_str()), at);
        if address.template().is_some() {
            self.templates.push(at);
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Finds the resource that a URI names.
    ///
    /// # Errors
    ///
    /// When there is no such resource.
    pub(crate) fn begin(
        &self,
        uri: ByteString,
        context: Context,
    ) -> Result<(Arc<dyn Resource>, ResourceRead), Error> {
        let (at, variables) = self.find(&uri)?;
        let resource = &self.entries[at].resource;
        let address = Arc::clone(resource.definition().address.as_str());
        Ok((Arc::clone(resource), ResourceRead::new(address, uri, variables, context)))
    }

    /// The resource that a URI names, and the values of its variables.
    fn find(&self, uri: &str) -> Result<(usize, RawJson), Error> {
        let fixed = self.by_address.get(uri).filter(|at| self.template(**at).is_none());
        if let Some(at) = fixed {
            return Ok((*at, RawJson::EMPTY_OBJECT));
        }
        let matching = |at: &usize| Some((*at, self.template(*at)?.match_uri(uri)?));
        let (at, values) =
            self.templates.iter().find_map(matching).ok_or_else(|| Error::resource_not_found(uri))?;
        let variables = match &self.entries[at].input {
            // What the template's type cannot be is no resource of it.
            Some(input) => input.read(values.iter()).map_err(|error| {
                Error::no_resource(uri, format!("resource not found. {}", error.message()))
            })?,
            None => RawJson::from_value(&values)?,
        };
        Ok((at, variables))
    }

    fn template(&self, at: usize) -> Option<&UriTemplate> {
        self.entries[at].resource.definition().address.template()
    }

    /// Whether anything can be suggested for any variable of any template.
    pub(crate) fn has_completions(&self) -> bool {
        let completes = |entry: &Entry, variable: &str| {
            let listed = || entry.input.as_ref().is_some_and(|input| !input.choices(variable).is_empty());
            entry.resource.completes(variable) || listed()
        };
        self.templates.iter().any(|at| {
            let mut variables = self.template(*at).into_iter().flat_map(UriTemplate::variables);
            variables.any(|variable| completes(&self.entries[*at], variable))
        })
    }

    /// Suggests values for a variable of a template, which is named as it is written or by a URI that it makes.
    pub(crate) async fn complete(&self, address: &str, call: CompletionCall) -> Result<Completion, Error> {
        let by_uri = || {
            self.templates
                .iter()
                .find(|at| self.template(**at).is_some_and(|t| t.match_uri(address).is_some()))
        };
        let at = self.by_address.get(address).or_else(by_uri);
        let entry = &self.entries[*at.ok_or_else(|| Error::resource_not_found(address))?];
        let template = entry.resource.definition().address.template();
        if !template.is_some_and(|template| has_variable(template, call.argument())) {
            let known = template.into_iter().flat_map(UriTemplate::variables);
            return Err(unknown_argument(call.argument(), known));
        }
        if entry.resource.completes(call.argument()) {
            return (*entry.resource).complete(call).await;
        }
        let choices = entry.input.as_ref().map(|input| input.choices(call.argument()));
        Ok(choices.map_or_else(Completion::default, |choices| Completion::matching(choices, call.value())))
    }
}

fn has_variable(template: &UriTemplate, name: &str) -> bool {
    template.variables().any(|variable| variable == name)
}

impl fmt::Debug for ResourceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.definitions().map(|definition| &definition.address)).finish()
    }
}

impl FromIterator<Arc<dyn Resource>> for ResourceSet {
    /// # Panics
    ///
    /// Panics where [`ResourceSet::try_with`] fails.
    fn from_iter<I: IntoIterator<Item = Arc<dyn Resource>>>(resources: I) -> Self {
        resources.into_iter().fold(Self::new(), ResourceSet::with)
    }
}
