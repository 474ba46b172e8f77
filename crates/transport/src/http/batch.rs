//! Several messages in one body, which only revision 2025-03-26 has.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Response, StatusCode};
use towline_core::codec::{self, DecodeError};
use towline_core::protocol::{ProtocolVersion, RequestId};
use towline_core::{Carrier, Error, ErrorKind, Extensions, Principal, Request, Serve};

use super::head::Head;
use super::message::{self, Of, Received};
use super::refusal::Refusal;
use super::respond::{self, ResponseBody};
use super::service::Options;
use crate::call::Call;

/// Answers a batch when all that is in it is done. What is in it can ask the client nothing, and reports nothing.
pub(super) async fn answer<S: Serve>(
    server: S,
    body: Bytes,
    options: Arc<Options>,
    mut head: Head,
    extensions: Extensions,
    of: Of,
) -> Response<ResponseBody<S>> {
    let caller = extensions.get::<Principal>();
    let messages = match codec::split_batch(&body, &options.limits) {
        Ok(messages) => messages,
        Err(DecodeError { id, error }) => {
            let status = respond::status_of(&error);
            let body = codec::encode(id.as_ref(), &Err(error), ProtocolVersion::LATEST);
            return respond::json(status, body, None);
        }
    };
    let mut calls = Vec::new();
    let mut answers = Vec::new();
    for message in messages {
        match message::read(message, &mut head, &options.limits, &of, caller) {
            Received::Request(id, request) if request.method() == "initialize" => {
                let error = Error::new(ErrorKind::InvalidRequest, "`initialize` is not part of a batch");
                answers.push(codec::encode(Some(&id), &Err(error), request.context().version()));
            }
            Received::Request(id, request) => calls.push(call(server.clone(), id, request, &extensions)),
            Received::Refused(_, body) => answers.push(body),
            Received::NoSession => return Refusal::no_session().into_response(),
            Received::Accepted => {}
        }
    }
    answers.extend(join_all(calls).await);
    if answers.is_empty() {
        return respond::json(StatusCode::ACCEPTED, Bytes::new(), None);
    }
    respond::json(StatusCode::OK, codec::join_batch(&answers), None)
}

async fn call<S: Serve>(server: S, id: RequestId, mut request: Request, extensions: &Extensions) -> Bytes {
    let version = request.context().version();
    let context = request.context_mut();
    context.extensions_mut().extend(extensions.clone());
    context.set_carrier(Carrier::Http);
    codec::encode(Some(&id), &Call::new(server, request).await, version)
}
