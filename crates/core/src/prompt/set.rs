//! Sets of prompts.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde_json::{Map, Value};
use tower::Layer;

use super::{Prompt, PromptCall, PromptService};
use crate::arguments::TextSchema;
use crate::completion::{CompletionCall, unknown_argument};
use crate::context::Context;
use crate::error::Error;
use crate::json::RawJson;
use crate::layered::Layered;
use crate::protocol::{Completion, PromptDefinition};
use crate::registration::RegistrationError;
use crate::uri::UriValue;

/// Prompts by name, in the order in which they were added.
#[derive(Clone, Default)]
pub struct PromptSet {
    entries: Vec<Entry>,
    by_name: HashMap<Arc<str>, usize, RandomState>,
}

#[derive(Clone)]
struct Entry {
    prompt: Arc<dyn Prompt>,
    /// What its arguments are held against.
    input: Option<Arc<TextSchema>>,
}

impl PromptSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a prompt that is known when the program is written.
    ///
    /// # Panics
    ///
    /// Panics where [`try_with`](Self::try_with) fails.
    #[must_use]
    pub fn with(self, prompt: impl Prompt) -> Self {
        self.try_with(prompt).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Adds a prompt that comes from configuration or from elsewhere.
    ///
    /// # Errors
    ///
    /// When its name is taken or empty, two of its arguments have the same name, its schema cannot be compiled, or the
    /// schema wants an argument of which clients are not told.
    pub fn try_with(mut self, prompt: impl Prompt) -> Result<Self, RegistrationError> {
        let prompt: Arc<dyn Prompt> = Arc::new(prompt);
        self.add(&prompt)?;
        Ok(self)
    }

    /// Adds the prompts of another set.
    ///
    /// # Panics
    ///
    /// Panics if a name is in both sets.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        for entry in other.entries {
            self.push(entry).unwrap_or_else(|error| panic!("{error}"));
        }
        self
    }

    /// Puts a tower layer around each prompt that is in the set now. A second layer goes around the first.
    ///
    /// The layer is applied once per prompt. State that all of them are to share is made first and handed to the layer.
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<PromptService>,
        Layered<L::Service, dyn Prompt>: Prompt,
    {
        self.layer_each(|_| &layer)
    }

    /// Puts a tower layer around each prompt that is in the set now, made for that prompt: `make` sees its definition.
    #[must_use]
    pub fn layer_each<L>(mut self, mut make: impl FnMut(&PromptDefinition) -> L) -> Self
    where
        L: Layer<PromptService>,
        Layered<L::Service, dyn Prompt>: Prompt,
    {
        for entry in &mut self.entries {
            let layer = make(entry.prompt.definition());
            entry.prompt = Arc::new(PromptService::layered(Arc::clone(&entry.prompt), &layer));
        }
        self
    }

    /// Removes a prompt; false if there is none of that name.
    pub fn remove(&mut self, name: &str) -> bool {
        let Some(at) = self.by_name.remove(name) else { return false };
        self.entries.remove(at);
        self.by_name.values_mut().filter(|other| **other > at).for_each(|other| *other -= 1);
        true
    }

    /// Whether any prompt may ask for input.
    pub(crate) fn asks_input(&self) -> bool {
        self.entries.iter().any(|entry| entry.prompt.asks_input())
    }

    /// The prompt of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Prompt>> {
        self.by_name.get(name).map(|at| &self.entries[*at].prompt)
    }

    /// What the prompts tell about themselves, in order.
    pub fn definitions(&self) -> impl ExactSizeIterator<Item = &PromptDefinition> {
        self.entries.iter().map(|entry| entry.prompt.definition())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn add(&mut self, prompt: &Arc<dyn Prompt>) -> Result<(), RegistrationError> {
        let definition = prompt.definition();
        let refuse = |reason: &str| RegistrationError::new("prompt", &definition.name, reason);
        if definition.name.is_empty() {
            return Err(refuse("a name is not empty"));
        }
        for (n, argument) in definition.arguments.iter().enumerate() {
            if definition.arguments[..n].iter().any(|other| other.name == argument.name) {
                return Err(refuse(&format!("there are two arguments `{}`", argument.name)));
            }
        }
        let input = definition.input_schema.as_ref().map(TextSchema::compile).transpose();
        let input = input.map_err(|reason| refuse(&reason))?.map(Arc::new);
        let untold = |name: &&str| !definition.arguments.iter().any(|argument| argument.name == **name);
        if let Some(untold) = input.as_ref().and_then(|input| input.required().find(untold)) {
            return Err(refuse(&format!("its schema wants `{untold}`, which is not among the arguments")));
        }
        self.push(Entry { prompt: Arc::clone(prompt), input })
    }

    fn push(&mut self, entry: Entry) -> Result<(), RegistrationError> {
        let name = &entry.prompt.definition().name;
        if self.by_name.contains_key(name) {
            return Err(RegistrationError::new("prompt", name, "there is another of that name"));
        }
        self.by_name.insert(Arc::clone(name), self.entries.len());
        self.entries.push(entry);
        Ok(())
    }

    /// Finds the prompt, and reads what it is given.
    ///
    /// # Errors
    ///
    /// When there is no such prompt, or the arguments are not what it takes.
    pub(crate) fn begin(
        &self,
        name: &str,
        arguments: Option<&RawJson>,
        context: Context,
    ) -> Result<(Arc<dyn Prompt>, PromptCall), Error> {
        let entry = &self.entries[self.find(name)?];
        let call =
            PromptCall::new(Arc::clone(&entry.prompt.definition().name), entry.read(arguments)?, context);
        Ok((Arc::clone(&entry.prompt), call))
    }

    fn find(&self, name: &str) -> Result<usize, Error> {
        self.by_name.get(name).copied().ok_or_else(|| Error::prompt_not_found(name))
    }

    /// Whether anything can be suggested for any argument of any prompt.
    pub(crate) fn has_completions(&self) -> bool {
        let completes = |entry: &Entry, argument: &str| {
            let listed = || entry.input.as_ref().is_some_and(|input| !input.choices(argument).is_empty());
            entry.prompt.completes(argument) || listed()
        };
        self.entries.iter().any(|entry| {
            let mut arguments = entry.prompt.definition().arguments.iter();
            arguments.any(|argument| completes(entry, &argument.name))
        })
    }

    /// Suggests values for an argument of a prompt.
    pub(crate) async fn complete(&self, name: &str, call: CompletionCall) -> Result<Completion, Error> {
        let entry = &self.entries[self.find(name)?];
        let arguments = &entry.prompt.definition().arguments;
        if !arguments.iter().any(|argument| argument.name == call.argument()) {
            let known = arguments.iter().map(|argument| argument.name.as_str());
            return Err(unknown_argument(call.argument(), known));
        }
        if entry.prompt.completes(call.argument()) {
            return (*entry.prompt).complete(call).await;
        }
        let choices = entry.input.as_ref().map(|input| input.choices(call.argument()));
        Ok(choices.map_or_else(Completion::default, |choices| Completion::matching(choices, call.value())))
    }
}

impl Entry {
    /// Holds arguments against what the prompt tells of them.
    fn read(&self, arguments: Option<&RawJson>) -> Result<RawJson, Error> {
        let arguments: Option<Map<String, Value>> = match arguments {
            Some(json) => json.parse().map_err(|_| Error::invalid_params("`arguments` must be an object"))?,
            None => None,
        };
        let mut values = Vec::new();
        for (name, value) in arguments.unwrap_or_default() {
            let Value::String(text) = value else {
                let name: String = name.chars().take(64).collect();
                return Err(Error::invalid_params(format!(
                    "`{name}` must be text, as all arguments of prompts"
                )));
            };
            values.push((name, UriValue::Text(text)));
        }
        for argument in self.prompt.definition().arguments.iter().filter(|argument| argument.required) {
            if !values.iter().any(|(name, _)| *name == argument.name) {
                return Err(Error::invalid_params(format!(
                    "Invalid arguments: `{}` is required.",
                    argument.name
                )));
            }
        }
        match &self.input {
            Some(input) => input.read(values.iter().map(|(name, value)| (name.as_str(), value))),
            None => RawJson::from_value(&values.into_iter().collect::<std::collections::BTreeMap<_, _>>()),
        }
    }
}

impl fmt::Debug for PromptSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.definitions().map(|definition| &definition.name)).finish()
    }
}

impl FromIterator<Arc<dyn Prompt>> for PromptSet {
    /// # Panics
    ///
    /// Panics where [`PromptSet::try_with`] fails.
    fn from_iter<I: IntoIterator<Item = Arc<dyn Prompt>>>(prompts: I) -> Self {
        prompts.into_iter().fold(Self::new(), PromptSet::with)
    }
}
