//! `subscriptions/listen`: a request whose answer comes when the client or the server no longer wants it, and before it
//! what changes.
//!
//! Source: basic/patterns/subscriptions.

use std::pin::pin;

use futures_util::future::{Either, select};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::codec;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::principal::KnownUntil;
use crate::protocol::{RequestId, SubscriptionFilter};
use crate::registry::{Change, Changes};
use crate::request::Reply;
use crate::task::Tasks;

/// What a notification on a subscription says. All of it has the subscription's id.
#[derive(Serialize)]
struct Params<'a, T> {
    #[serde(rename = "_meta")]
    meta: Meta<'a>,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize)]
struct Meta<'a> {
    #[serde(rename = "io.modelcontextprotocol/subscriptionId")]
    id: &'a RawValue,
}

#[derive(Serialize)]
struct Acknowledged<'a> {
    notifications: &'a SubscriptionFilter,
}

#[derive(Serialize)]
struct Updated<'a> {
    uri: &'a str,
}

#[derive(Serialize)]
struct Nothing {}

/// Tells a client what changes, of what it is `honoured` to be told of, until the server closes or the caller is no
/// longer known.
pub(super) async fn listen(
    context: Context,
    honoured: SubscriptionFilter,
    changes: &Changes,
    tasks: Option<&Tasks>,
    server_meta: &str,
) -> Result<Reply, Error> {
    let missing = || Error::new(ErrorKind::InvalidRequest, "this connection cannot carry a subscription");
    let notifier = context.notifier().ok_or_else(missing)?;
    let id = context.id().ok_or_else(missing)?;
    let subscription = changes.subscribe(&honoured, &context)?;
    let acknowledged = Acknowledged { notifications: &honoured };
    notifier.send(message("notifications/subscriptions/acknowledged", id, acknowledged)).await;
    let mut closing = pin!(async {
        select(pin!(notifier.closing()), pin!(KnownUntil::wait(context.extensions()))).await;
    });
    loop {
        match select(closing.as_mut(), pin!(subscription.next())).await {
            Either::Left(((), _)) => return Ok(codec::end_of_subscription(id, server_meta)),
            Either::Right((Change::Task(task), _)) => {
                if let (Some(tasks), true) = (tasks, honoured.task_ids.iter().any(|id| **id == *task))
                    && let Some(record) = tasks.look(&task).await
                {
                    notifier.send(codec::task_changed(&record, id)).await;
                }
            }
            Either::Right((change, _)) => notifier.send(tell(&change, id)).await,
        }
    }
}

fn tell(change: &Change, id: &RequestId) -> bytes::Bytes {
    match change {
        Change::Tools => message("notifications/tools/list_changed", id, Nothing {}),
        Change::Prompts => message("notifications/prompts/list_changed", id, Nothing {}),
        Change::Resources => message("notifications/resources/list_changed", id, Nothing {}),
        Change::Resource(uri) => message("notifications/resources/updated", id, Updated { uri }),
        Change::Task(_) => unreachable!("tasks are told of by what they are"),
    }
}

fn message(method: &'static str, id: &RequestId, rest: impl Serialize) -> bytes::Bytes {
    let id: &RawValue = serde_json::from_str(id.as_json()).expect("an id is JSON");
    codec::notification(method, &Params { meta: Meta { id }, rest }).expect("text has a JSON form")
}
