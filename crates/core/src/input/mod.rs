//! Input that a tool, a resource or a prompt needs from the user or the client while it works.
//!
//! Source: basic/patterns/mrtr.

mod answers;
mod form;
mod required;
mod seal;
mod used;

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use self::answers::Supplied;
pub(crate) use self::answers::{Claim, Given, admit};
pub(crate) use self::required::{Binding, InputRequest, InputRequired};
pub(crate) use self::seal::random_id;
pub use self::seal::{StateKey, StateSeal};
pub use self::used::{UsedStates, UsedStatesInMemory};

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::prompt::PromptResult;
use crate::protocol::{
    ElicitAction, ElicitResult, Elicited, Form, ListRootsResult, Root, Sampled, Sampling, UrlPrompt,
};
use crate::resource::ResourceResult;
use crate::tool::{ToolResult, schema};

/// What the user, or the client, has been asked, and what came back.
///
/// A function that takes it asks for something under a key of its choice. Either the answer is there, or the function
/// returns [`ask`](Self::ask), and is called again from the beginning once the client has gathered the answers. What was
/// answered stays answered: it travels with the client, sealed ([`StateSeal`]), and comes back each time.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use towline_core::{Error, Input, ToolResult, tool_fn};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Delete {
///     /// The folder.
///     folder: String,
/// }
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Confirm {
///     /// Delete it for good?
///     sure: bool,
/// }
///
/// let delete = tool_fn("delete_folder", "Deletes a folder.", async |args: Delete, mut input: Input| {
///     let message = format!("Delete {} and all that is in it?", args.folder);
///     let Some(answer) = input.elicit::<Confirm>("sure", message) else { return input.ask() };
///     match answer.accepted() {
///         Some(Confirm { sure: true }) => Ok(ToolResult::text("Deleted.")),
///         _ => Ok(ToolResult::error("The user does not want that.")),
///     }
/// });
/// ```
///
/// The same function serves clients of revisions before 2026-07-28: the transport asks them while the request runs, and
/// then calls the function again.
#[derive(Debug)]
pub struct Input {
    context: Context,
    method: &'static str,
    given: Arc<Given>,
    /// The keys whose answers have been used.
    used: Vec<String>,
    asked: Vec<(String, InputRequest)>,
    state: Option<Value>,
    is_single_use: bool,
    /// What the client would have to be capable of, and is not.
    lacking: Map<String, Value>,
    failure: Option<Error>,
}

impl Input {
    pub(crate) fn new(context: Context, method: &'static str) -> Self {
        let given = context.extensions().get::<Arc<Given>>().cloned().unwrap_or_default();
        let state = given.state.clone();
        Self {
            context,
            method,
            given,
            used: Vec::new(),
            asked: Vec::new(),
            state,
            is_single_use: false,
            lacking: Map::new(),
            failure: None,
        }
    }

    /// What else is known of the request.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Asks the user to fill in a form whose fields are those of `T`: text, numbers, truth values, enums without data, and
    /// lists of those. `None` until there is an answer.
    ///
    /// Never ask for secrets so: see [`elicit_url`](Self::elicit_url).
    ///
    /// # Panics
    ///
    /// Panics if `T` is no struct, or has a field that no form can have.
    pub fn elicit<T: DeserializeOwned + JsonSchema>(
        &mut self,
        key: &str,
        message: impl Into<String>,
    ) -> Option<Elicited<T>> {
        self.fill(key, &form::of::<T>(message.into()))
    }

    /// Asks the user to fill in a form. `None` until there is an answer that is what the form allows.
    pub fn elicit_form(&mut self, key: &str, form: &Form) -> Option<Elicited<Map<String, Value>>> {
        self.fill(key, form)
    }

    fn fill<T: DeserializeOwned>(&mut self, key: &str, form: &Form) -> Option<Elicited<T>> {
        let answer = self.answer::<ElicitResult>(key).and_then(|result| match result.action {
            ElicitAction::Decline => Some(Elicited::Declined),
            ElicitAction::Cancel => Some(Elicited::Cancelled),
            ElicitAction::Accept => {
                let content = Value::Object(result.content.unwrap_or_default());
                let allowed = schema::compile(&form.schema()).is_ok_and(|schema| schema.is_valid(&content));
                let value = allowed.then(|| serde_json::from_value(content).ok()).flatten();
                value.map(Elicited::Accepted)
            }
        });
        self.used_or_asked(key, answer, || InputRequest::new("elicitation/create", form))
    }

    /// Asks the user to visit a page, for what must not pass through the client. `None` until the user has said whether
    /// they will; what they did there, the server finds out by itself.
    pub fn elicit_url(&mut self, key: &str, prompt: &UrlPrompt) -> Option<Elicited<()>> {
        #[derive(Serialize)]
        struct Params<'a> {
            mode: &'static str,
            #[serde(flatten)]
            prompt: &'a UrlPrompt,
            /// Revision 2025-11-25 wants one, later ones have none.
            #[serde(rename = "elicitationId", skip_serializing_if = "Option::is_none")]
            id: Option<String>,
        }
        let answer = self.answer::<ElicitResult>(key).map(|result| match result.action {
            ElicitAction::Accept => Elicited::Accepted(()),
            ElicitAction::Decline => Elicited::Declined,
            ElicitAction::Cancel => Elicited::Cancelled,
        });
        let id = (!self.context.version().is_modern()).then(|| format!("{key}-{}", seal::random_id()));
        let params = Params { mode: "url", prompt, id };
        self.used_or_asked(key, answer, || InputRequest::new("elicitation/create", &params))
    }

    /// Asks the client's language model. `None` until there is an answer. Deprecated since revision 2026-07-28.
    pub fn sample(&mut self, key: &str, sampling: &Sampling) -> Option<Sampled> {
        let answer = self.answer(key);
        self.used_or_asked(key, answer, || InputRequest::new("sampling/createMessage", sampling))
    }

    /// Asks which folders the client works in. `None` until there is an answer. Deprecated since revision 2026-07-28.
    pub fn roots(&mut self, key: &str) -> Option<Vec<Root>> {
        let answer = self.answer::<ListRootsResult>(key).map(|result| result.roots);
        self.used_or_asked(key, answer, || InputRequest::new("roots/list", &Map::new()))
    }

    /// What [`set_state`](Self::set_state) kept, if this is not the first call and it is a `T`.
    pub fn state<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.given.state.clone()?).ok()
    }

    /// Keeps something until the answers are there. It travels with the client, which can neither read nor change it.
    pub fn set_state(&mut self, state: &impl Serialize) {
        match serde_json::to_value(state) {
            Ok(state) => self.state = Some(state),
            Err(error) => self.failure = Some(Error::internal(error)),
        }
    }

    /// Lets what is asked now be answered once only: for what must not be done twice.
    pub fn single_use(&mut self) {
        self.is_single_use = true;
    }

    /// Ends the call: the client gathers the answers and sends the request again.
    ///
    /// # Errors
    ///
    /// `MissingCapability` when the client cannot give what was asked for; `InvalidRequest` when it is a client of an older
    /// revision on a connection on which it cannot be asked.
    pub fn ask<R: AsksInput>(self) -> Result<R, Error> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if !self.lacking.is_empty() {
            return Err(Error::missing_capability(&self.lacking));
        }
        if !self.context.can_be_asked() {
            let why = "this needs input from the user, which cannot be asked for on this connection";
            return Err(Error::new(ErrorKind::InvalidRequest, why));
        }
        if self.asked.is_empty() && self.state.is_none() {
            return Err(Error::internal("nothing was asked"));
        }
        let carried = |key: String| Some((key.clone(), self.given.answers.get(&key)?.clone()));
        Ok(R::input_required(InputRequired {
            binding: Binding::of(&self.context, self.method),
            requests: self.asked,
            answers: self.used.into_iter().filter_map(carried).collect(),
            state: self.state,
            is_single_use: self.is_single_use,
        }))
    }

    fn answer<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_value(self.given.answers.get(key)?.clone()).ok()
    }

    fn used_or_asked<T>(
        &mut self,
        key: &str,
        answer: Option<T>,
        request: impl FnOnce() -> InputRequest,
    ) -> Option<T> {
        if answer.is_some() {
            self.used.push(key.to_owned());
        } else {
            let request = request();
            if let Some((capability, settings)) = request.lacking(&self.context) {
                self.lacking.insert(capability.into(), settings);
            }
            self.asked.push((key.to_owned(), request));
        }
        answer
    }
}

/// What can ask for input instead of being complete: the results of tools, prompts and resources.
pub trait AsksInput: sealed::Sealed {
    #[doc(hidden)]
    fn input_required(input: InputRequired) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ToolResult {}
    impl Sealed for super::PromptResult {}
    impl Sealed for super::ResourceResult {}
}

impl AsksInput for ToolResult {
    fn input_required(input: InputRequired) -> Self {
        Self::asking(input)
    }
}

impl AsksInput for PromptResult {
    fn input_required(input: InputRequired) -> Self {
        Self::asking(input)
    }
}

impl AsksInput for ResourceResult {
    fn input_required(input: InputRequired) -> Self {
        Self::asking(input)
    }
}

/// Texts that clients send are shown so far.
fn cut(text: &str) -> Cow<'_, str> {
    text.char_indices()
        .nth(64)
        .map_or(Cow::Borrowed(text), |(end, _)| Cow::Owned(format!("{}..", &text[..end])))
}
