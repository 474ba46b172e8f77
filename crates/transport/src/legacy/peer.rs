//! Requests that the server sends to a client.

use std::collections::HashMap;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;
use towline_core::codec::Response;
use towline_core::protocol::RequestId;
use towline_core::{Error, ErrorKind, RawJson};

use crate::sync::atomic::{AtomicI64, Ordering};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// The requests that one client has been sent and has not answered.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    last: AtomicI64,
    waiting: Mutex<HashMap<RequestId, Waiting>>,
}

type Waiting = oneshot::Sender<Result<RawJson, RawJson>>;

impl Peer {
    /// Sends a request and waits for the answer. Dropping the future tells the client that nobody waits any more.
    ///
    /// # Errors
    ///
    /// When the client is gone, or refuses.
    pub(crate) async fn request(
        &self,
        method: &str,
        params: &RawValue,
        output: &Sender<Bytes>,
    ) -> Result<Value, Error> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        let mut unanswered = Unanswered { peer: self, id: number.into(), output, is_sent: false };
        self.lock().insert(unanswered.id.clone(), sender);
        let gone = || Error::new(ErrorKind::Cancelled, "the client is gone");
        output.send(message(Some(number), method, Some(params))).await.map_err(|_| gone())?;
        unanswered.is_sent = true;
        let outcome = receiver.await.map_err(|_| gone())?;
        unanswered.is_sent = false;
        match outcome {
            Ok(result) => result.parse().map_err(|_| gone()),
            Err(error) => Err(refused(method, &error)),
        }
    }

    /// Hands an answer to who waits for it. One that nobody waits for is of a request that was given up.
    pub(crate) fn answer(&self, response: Response) {
        let Some(id) = response.id else { return };
        let waiting = self.lock().remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(response.outcome);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits for its answer.
struct Unanswered<'a> {
    peer: &'a Peer,
    id: RequestId,
    output: &'a Sender<Bytes>,
    is_sent: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.peer.lock().remove(&self.id);
        if self.is_sent {
            let params = format!(r#"{{"requestId":{}}}"#, self.id.as_json());
            let params = RawValue::from_string(params).expect("an id is JSON");
            // A courtesy: a client that is behind, or gone, does without.
            let _ = self.output.try_send(message(None, "notifications/cancelled", Some(&*params)));
        }
    }
}

/// A message as a line of JSON.
pub(crate) fn message<T: Serialize + ?Sized>(id: Option<i64>, method: &str, params: Option<&T>) -> Bytes {
    #[derive(Serialize)]
    struct Message<'a, T: ?Sized> {
        jsonrpc: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<i64>,
        method: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        params: Option<&'a T>,
    }
    let message = Message { jsonrpc: "2.0", id, method, params };
    serde_json::to_vec(&message).expect("text has a JSON form").into()
}

fn refused(method: &str, error: &RawJson) -> Error {
    #[derive(serde::Deserialize)]
    struct RpcError {
        message: String,
    }
    let why = error.parse::<RpcError>().map(|error| error.message).unwrap_or_default();
    let why: String = why.chars().take(200).collect();
    Error::new(ErrorKind::InvalidRequest, format!("the client refused `{method}`: {why}"))
}
