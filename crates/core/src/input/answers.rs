//! Answers that came back with a request.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::seal::StateSeal;
use super::{Binding, cut};
use crate::error::Error;
use crate::json::RawJson;
use crate::request::Request;

/// What came back: answers by key, and what the author kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) answers: Map<String, Value>,
    pub(crate) state: Option<Value>,
}

/// Answers that a transport has gathered on behalf of a client whose revision cannot send them along.
#[derive(Clone, Debug, Default)]
pub struct Supplied {
    /// The answers, by the keys under which they were asked for.
    pub responses: Map<String, Value>,
    /// The state that the answer before gave (`requestState`).
    pub state: Option<String>,
}

/// Takes what came back with a request, if anything did. What it gives must be claimed before the request is served: a
/// state that serves once.
///
/// # Errors
///
/// When there are no answers where there should be, or the state is not of this request.
pub(crate) fn admit(
    request: &mut Request,
    method: &'static str,
    seal: &StateSeal,
) -> Result<Option<Claim>, Error> {
    let context = &request.context;
    let supplied = context.extensions().get::<Supplied>();
    let (responses, state) = match supplied {
        Some(supplied) => (supplied.responses.clone(), supplied.state.clone()),
        None => {
            let responses = context.input_responses().map(|json| responses(&json)).transpose()?;
            let state = context.request_state().map(|json| state(&json)).transpose()?;
            if responses.is_none() && state.is_none() {
                return Ok(None);
            }
            (responses.unwrap_or_default(), state)
        }
    };
    let mut given = Given::default();
    let mut claim = None;
    if let Some(state) = state {
        let opened = seal.open(&state, &Binding::of(context, method))?;
        claim = opened.claim;
        given = Given { answers: opened.answers, state: opened.state };
    }
    // What the author has used once is not changed by a later answer.
    for (key, answer) in responses {
        given.answers.entry(key).or_insert(answer);
    }
    request.context.extensions_mut().insert(Arc::new(given));
    Ok(claim)
}

/// A state that may be used once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) id: [u8; 16],
    pub(crate) expires_in: std::time::Duration,
}

fn responses(json: &RawJson) -> Result<Map<String, Value>, Error> {
    let responses: Map<String, Value> = json
        .parse()
        .map_err(|_| Error::invalid_params("`inputResponses` must be an object: answers by key"))?;
    match responses.iter().find(|(_, answer)| !answer.is_object()) {
        Some((key, _)) => Err(Error::invalid_params(format!(
            "`inputResponses`: the answer to `{}` must be an object",
            cut(key)
        ))),
        None => Ok(responses),
    }
}

fn state(json: &RawJson) -> Result<String, Error> {
    json.parse().map_err(|_| Error::invalid_params("`requestState` must be text"))
}
