//! `tasks/get`, `tasks/update` and `tasks/cancel`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::record::{TaskRecord, TaskStatus};
use super::{Tasks, check_client};
use crate::error::Error;
use crate::protocol::SubscriptionFilter;
use crate::request::Request;

/// What was asked of a task.
pub(crate) enum Answered {
    /// How it stands.
    Details(Box<TaskRecord>),
    /// It is noted.
    Noted,
}

impl Tasks {
    /// Answers a request about a task.
    ///
    /// # Errors
    ///
    /// `MissingCapability` before anything else where the client did not declare the extension; `InvalidParams` for a task
    /// that is not there, or not the caller's.
    pub(crate) async fn answer(&self, request: Request) -> Result<Answered, Error> {
        check_client(&request.context)?;
        let id = request
            .subject()
            .ok_or_else(|| Error::invalid_params("`taskId` is missing: the id of a task, as text"))?;
        let owner = request.context.principal().map(crate::Principal::id);
        let tasks = &self.0;
        let record = tasks.find(id, owner).await?;
        match request.method() {
            "tasks/get" => return Ok(Answered::Details(Box::new(record))),
            "tasks/update" => {
                let given: UpdateParams = request.parse()?;
                tasks.change(id, |record| take(record, &given.input_responses)).await?;
            }
            _ => {
                let cancel = |record: &mut TaskRecord| {
                    record.finish(TaskStatus::Cancelled);
                    Some(())
                };
                tasks.change(id, cancel).await?;
            }
        }
        Ok(Answered::Noted)
    }

    /// Leaves those tasks of a filter that are the caller's.
    ///
    /// # Errors
    ///
    /// `MissingCapability` where the client did not declare the extension.
    pub(crate) async fn watch(
        &self,
        filter: &mut SubscriptionFilter,
        request: &Request,
    ) -> Result<(), Error> {
        if filter.task_ids.is_empty() {
            return Ok(());
        }
        check_client(&request.context)?;
        let owner = request.context.principal().map(crate::Principal::id);
        let mut ids = Vec::new();
        for id in std::mem::take(&mut filter.task_ids).into_iter().take(1_000) {
            if self.0.find(&id, owner).await.is_ok() {
                ids.push(id);
            }
        }
        filter.task_ids = ids;
        Ok(())
    }

    /// A task as it is now, for who watches it.
    pub(crate) async fn look(&self, id: &str) -> Option<TaskRecord> {
        self.0.store.get(id).await.ok().flatten()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateParams {
    input_responses: Map<String, Value>,
}

/// Takes the answers to what a task waits for. Others are of no use to it, and are ignored.
fn take(record: &mut TaskRecord, given: &Map<String, Value>) -> Option<()> {
    let mut has_taken = false;
    for (key, response) in given.iter().filter(|(_, response)| response.is_object()) {
        if record.input_requests.remove(key).is_some() {
            record.input_responses.insert(key.clone(), response.clone());
            has_taken = true;
        }
    }
    if has_taken && record.input_requests.is_empty() {
        record.status = TaskStatus::Working;
    }
    has_taken.then_some(())
}
