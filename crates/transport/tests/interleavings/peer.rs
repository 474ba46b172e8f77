//! Requests that the server sends.

#[allow(dead_code, unused_imports, unreachable_pub, reason = "the tests here use a part")]
#[path = "../../src/legacy/peer.rs"]
mod source;

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{Either, select};
use serde_json::Value;
use serde_json::value::RawValue;
use shuttle::future::block_on;
use shuttle::thread;
use tokio::sync::{mpsc, oneshot};
use towline_core::codec::{self, Limits, Message};

use self::source::Peer;
use crate::explore;

pub(crate) fn each_request_gets_its_own_answer_or_is_taken_back() {
    const REQUESTS: usize = 3;
    explore(800, || {
        let peer = Arc::new(Peer::default());
        let (output, messages) = mpsc::channel(2 * REQUESTS);
        let client = thread::spawn({
            let peer = Arc::clone(&peer);
            move || serve(&peer, messages)
        });
        let requests: Vec<_> = (0..REQUESTS)
            .map(|number| {
                let (peer, output) = (Arc::clone(&peer), output.clone());
                let (give_up, given_up) = oneshot::channel::<()>();
                let request = thread::spawn(move || {
                    let params = RawValue::from_string(number.to_string()).unwrap();
                    let request = pin!(peer.request("ask", &params, &output));
                    match block_on(select(request, given_up)) {
                        Either::Left((answer, _)) => {
                            assert_eq!(answer.unwrap(), number, "the answer is another's");
                            true
                        }
                        Either::Right(_) => false,
                    }
                });
                let impatient = (number > 0).then(|| thread::spawn(move || _ = give_up.send(())));
                (request, impatient)
            })
            .collect();
        drop(output);
        let mut answered = 0;
        for (request, impatient) in requests {
            answered += usize::from(request.join().unwrap());
            if let Some(impatient) = impatient {
                impatient.join().unwrap();
            }
        }
        let (asked, taken_back) = client.join().unwrap();
        assert_eq!(asked, answered + taken_back, "a request that was sent and given up is taken back");
    });
}

/// Answers each request with what it asks. Gives how many there were, and how many were taken back.
fn serve(peer: &Peer, mut messages: mpsc::Receiver<Bytes>) -> (usize, usize) {
    let (mut asked, mut taken_back) = (0, 0);
    while let Some(message) = block_on(messages.recv()) {
        let message: Value = serde_json::from_slice(&message).unwrap();
        if message["method"] == "notifications/cancelled" {
            taken_back += 1;
            continue;
        }
        asked += 1;
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{}}}"#, message["id"], message["params"]);
        match codec::decode(answer.into(), &Limits::default()) {
            // Only the first answer counts.
            Ok(Message::Response(response)) => (0..2).for_each(|_| peer.answer(response.clone())),
            other => panic!("{other:?}"),
        }
    }
    (asked, taken_back)
}
