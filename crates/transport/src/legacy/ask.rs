//! Calls of a server that ask the client on the way.
//!
//! A client of the current revision is told what is needed, gathers it, and sends its request again. For a client of an
//! older revision that is done here: it is sent each request for input, and the server is called again with the answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;
use towline_core::{AnswerKind, Error, ErrorKind, Reply, Request, Serve, Supplied};

use super::peer::Peer;
use crate::call::Call;

/// How long the user may take.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// A request that asks more often than this is given up: it would ask for ever.
const MAX_ROUNDS: usize = 32;

/// Calls the server, and as long as it asks for input, asks the client and calls it again.
pub(crate) async fn call_asking<S: Serve>(
    server: S,
    mut request: Request,
    peer: Arc<Peer>,
    output: Sender<Bytes>,
) -> Result<Reply, Error> {
    for _ in 0..MAX_ROUNDS {
        let reply = Call::new(server.clone(), request.clone()).await?;
        if reply.kind() != AnswerKind::InputRequired {
            return Ok(reply);
        }
        let asked: Asked = serde_json::from_slice(reply.as_bytes()).map_err(Error::internal)?;
        let answers = timeout(PATIENCE, asked.gather(&peer, &output)).await.map_err(|_| {
            Error::new(ErrorKind::Timeout, "the client did not give the input that was asked for in time")
        })??;
        let supplied = Supplied { responses: answers, state: asked.request_state };
        request.context_mut().extensions_mut().insert(supplied);
    }
    Err(Error::internal("a request asks for input again and again"))
}

/// What a server asks for, as the current revision says it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    #[serde(default)]
    input_requests: HashMap<String, InputRequest>,
    #[serde(default)]
    request_state: Option<String>,
}

#[derive(Deserialize)]
struct InputRequest {
    method: String,
    params: Box<RawValue>,
}

impl Asked {
    /// Asks for all of it at once.
    async fn gather(&self, peer: &Peer, output: &Sender<Bytes>) -> Result<Map<String, Value>, Error> {
        let requests = self.input_requests.iter().map(async |(key, request)| {
            let answer = peer.request(&request.method, &request.params, output).await;
            let answer = match answer {
                // Who cannot show a form has not chosen.
                Err(error)
                    if error.kind() == ErrorKind::InvalidRequest
                        && request.method == "elicitation/create" =>
                {
                    json!({"action": "cancel"})
                }
                other => other?,
            };
            Ok::<_, Error>((key.clone(), answer))
        });
        Ok(try_join_all(requests).await?.into_iter().collect())
    }
}
