//! One task, from its beginning to its end.

use std::collections::HashSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep_until};

use super::record::{TaskRecord, TaskStatus};
use super::{Inner, Local, Teller, lock, now};
use crate::codec;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::input::Given;
use crate::json::RawJson;
use crate::tool::ToolResult;

/// A task that asks more often than this is given up: it would ask for ever.
const MAX_ROUNDS: usize = 100;

/// Runs one task. Dropping it takes the task out of those that run.
pub(super) struct Runner {
    tasks: Arc<Inner>,
    id: Arc<str>,
    local: Arc<Local>,
}

impl Drop for Runner {
    fn drop(&mut self) {
        lock(&self.tasks.running).remove(&self.id);
        self.tasks.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Runner {
    /// Takes a task among those that run.
    ///
    /// # Errors
    ///
    /// `Overloaded` when there are as many as may be.
    pub(super) fn admit(tasks: &Arc<Inner>, id: Arc<str>, owner: Option<Arc<str>>) -> Result<Self, Error> {
        tasks.count(owner.as_deref())?;
        let local = Arc::new(Local { owner, ..Local::default() });
        lock(&tasks.running).insert(Arc::clone(&id), Arc::clone(&local));
        tasks.count.fetch_add(1, Ordering::Relaxed);
        Ok(Self { tasks: Arc::clone(tasks), id, local })
    }

    /// Works until the work is done, or cancelled, or takes too long.
    pub(super) async fn run<F, Fut>(self, record: TaskRecord, context: Context, work: F)
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ToolResult, Error>> + Send + 'static,
    {
        let left = record.ttl.map(|ttl| record.created_at.saturating_add(ttl).saturating_sub(now()));
        let end = left.and_then(|left| Instant::now().checked_add(Duration::from_millis(left)));
        let mut rounds = Rounds::default();
        let outcome = {
            let working = std::pin::pin!(self.rounds(&mut rounds, context, work));
            let ended = std::pin::pin!(self.ended(end));
            match select(working, ended).await {
                Either::Left((outcome, _)) => outcome,
                // It has its end already: the work is dropped.
                Either::Right(_) => return,
            }
        };
        let finish = |record: &mut TaskRecord| {
            match &outcome {
                Ok(result) => {
                    record.finish(TaskStatus::Completed);
                    record.result = Some(result.clone());
                }
                Err(error) => {
                    let message = codec::client_message(error);
                    record.fail(error.kind().code(), &message);
                }
            }
            Some(())
        };
        if let Err(error) = self.tasks.change(&self.id, finish).await {
            tracing::error!(task = &*self.id, %error, "the outcome of a task could not be kept");
        }
    }

    /// Calls the work, and as long as it asks for input, waits for that and calls it again.
    async fn rounds<F, Fut>(&self, rounds: &mut Rounds, context: Context, work: F) -> Result<RawJson, Error>
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ToolResult, Error>> + Send + 'static,
    {
        for _ in 0..MAX_ROUNDS {
            let mut context = context.clone();
            context.extensions_mut().insert(Arc::new(rounds.given.clone()));
            context
                .extensions_mut()
                .insert(Teller { tasks: Arc::clone(&self.tasks), id: Arc::clone(&self.id) });
            // Nothing of the work is used after a panic.
            let called = AssertUnwindSafe(async { work(context).await }).catch_unwind().await;
            let result = match called {
                Ok(Ok(result)) => result,
                // What the model can act on is an outcome; a defect, and what the protocol has an error for, is none.
                Ok(Err(error))
                    if matches!(error.kind(), ErrorKind::Internal | ErrorKind::MissingCapability) =>
                {
                    return Err(error);
                }
                Ok(Err(error)) => return Ok(codec::task_failure(&error)),
                Err(_panic) => return Err(Error::internal("panic in a task")),
            };
            let Some(input) = result.input() else { return Ok(codec::task_result(&result)) };
            let asked = rounds.ask(&input.requests);
            rounds.given.state.clone_from(&input.state);
            self.wait_for(asked, rounds).await?;
        }
        Err(Error::internal("a task asks for input again and again"))
    }

    /// Says what the task waits for, and waits until all of it is there.
    async fn wait_for(&self, asked: Map<String, Value>, rounds: &mut Rounds) -> Result<(), Error> {
        let ask = |record: &mut TaskRecord| {
            record.status = TaskStatus::InputRequired;
            record.input_requests.clone_from(&asked);
            Some(())
        };
        let mut changed = self.local.changed.subscribe();
        let mut record = self.tasks.change(&self.id, ask).await?;
        loop {
            match &record {
                Some(record) if record.status == TaskStatus::InputRequired => {}
                Some(record) => {
                    rounds.answered(&record.input_responses);
                    break;
                }
                None => return Err(Error::internal("the task is gone")),
            }
            // It lives as long as this does.
            let _ = changed.changed().await;
            record = self.tasks.store.get(&self.id).await?;
        }
        let take = |record: &mut TaskRecord| {
            (!record.input_responses.is_empty()).then(|| record.input_responses.clear())
        };
        self.tasks.change(&self.id, take).await?;
        Ok(())
    }

    /// Waits until the task has an end that does not come from its work: it is cancelled, or takes too long.
    async fn ended(&self, end: Option<Instant>) {
        let mut changed = self.local.changed.subscribe();
        let beat = self.tasks.store.lease().map_or(Duration::from_secs(3600), |lease| lease / 3);
        let mut next_beat = Instant::now() + beat;
        loop {
            let wake = end.map_or(next_beat, |end| end.min(next_beat));
            let told = std::pin::pin!(changed.changed());
            let slept = std::pin::pin!(sleep_until(wake));
            let record = match select(told, slept).await {
                Either::Left(_) => self.tasks.store.get(&self.id).await,
                Either::Right(_) => {
                    next_beat = Instant::now() + beat;
                    self.beat(end.is_some_and(|end| end <= Instant::now())).await
                }
            };
            match record {
                Ok(Some(record)) if !record.status.is_final() => {}
                Ok(_) => return,
                Err(error) => tracing::warn!(task = &*self.id, %error, "the store of tasks does not answer"),
            }
        }
    }

    /// Shows that the process lives, or ends the task that takes too long.
    async fn beat(&self, is_late: bool) -> Result<Option<TaskRecord>, Error> {
        let lease = self.tasks.store.believed_until();
        let beat = |record: &mut TaskRecord| {
            if is_late {
                record.fail(ErrorKind::Timeout.code(), "the task took longer than tasks are kept");
                return Some(());
            }
            record.lease = Some(lease?);
            Some(())
        };
        self.tasks.change(&self.id, beat).await
    }
}

/// What has been asked and answered so far. A key means one question for as long as the task lives: asked again, it gets a
/// number.
#[derive(Default)]
struct Rounds {
    given: Given,
    used: HashSet<String>,
    /// The author's keys by those of the questions that are open.
    open: Vec<(String, String)>,
}

impl Rounds {
    fn ask(&mut self, requests: &[(String, crate::input::InputRequest)]) -> Map<String, Value> {
        self.open.clear();
        let mut asked = Map::new();
        for (key, request) in requests {
            let numbered = (2..).map(|n| format!("{key}#{n}"));
            let mut names = std::iter::once(key.clone()).chain(numbered);
            let name = names.find(|name| !self.used.contains(name)).expect("numbers do not end");
            self.used.insert(name.clone());
            self.open.push((name.clone(), key.clone()));
            asked.insert(name, serde_json::to_value(request).expect("a request has a JSON form"));
        }
        asked
    }

    fn answered(&mut self, responses: &Map<String, Value>) {
        for (name, key) in &self.open {
            if let Some(response) = responses.get(name) {
                self.given.answers.insert(key.clone(), response.clone());
            }
        }
    }
}
