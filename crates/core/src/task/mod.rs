//! Long jobs: calls of tools whose answers clients come back for.
//!
//! Source: the extension `io.modelcontextprotocol/tasks` (SEP-2663).
//!
//! A tool runs as a task when its client declares the extension. The client gets the task's id at once, asks how it stands
//! (`tasks/get`), gives what it waits for (`tasks/update`), ends it (`tasks/cancel`), or is told when it changes
//! (`subscriptions/listen`). Everything that is known of a task is in a [`TaskStore`], so that with a shared one any replica
//! can answer, and what is done survives the process that did it.

mod calendar;
mod memory;
mod methods;
mod options;
mod record;
mod run;
mod store;
mod tool;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tokio::sync::watch;

pub use self::memory::TasksInMemory;
pub(crate) use self::methods::Answered;
pub use self::options::TaskOptions;
pub use self::record::{TaskRecord, TaskStatus};
pub use self::store::TaskStore;
pub use self::tool::TaskTool;

use self::run::Runner;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::input::Input;
use crate::registry::{Change, Changes};
use crate::tool::{ToolOutput, ToolResult};

/// The extension's identifier.
pub(crate) const EXTENSION: &str = "io.modelcontextprotocol/tasks";
/// How many tasks run in this process at once.
const MAX_RUNNING: usize = 1_000;
/// How many of them are of one caller.
const MAX_PER_CALLER: usize = 100;
/// How often a change is tried again that another one has forestalled.
const MAX_TRIES: usize = 20;

/// The tasks of a server. A clone is a handle to the same.
///
/// ```
/// use std::time::Duration;
/// use towline_core::{Router, Server, TaskOptions, Tasks, ToolExt, tool_fn};
///
/// let tasks = Tasks::in_memory();
/// let report = tool_fn("report", "Makes the yearly report.", async || {
///     tokio::time::sleep(Duration::from_secs(600)).await;
///     "done"
/// });
/// let report = report.into_task(&tasks, TaskOptions::new());
/// let server = Server::new(Router::new("example", "1.0.0").tool(report).tasks(&tasks));
/// ```
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    store: Arc<dyn TaskStore>,
    /// Those that this process runs.
    running: Mutex<HashMap<Arc<str>, Arc<Local>>>,
    count: AtomicUsize,
    changes: OnceLock<Changes>,
}

/// A task that this process runs.
#[derive(Debug, Default)]
struct Local {
    owner: Option<Arc<str>>,
    /// Sent when its record has changed.
    changed: watch::Sender<()>,
}

/// Why a call cannot be a task, or a task cannot be asked after: the client did not declare the extension.
pub(crate) fn check_client(context: &Context) -> Result<(), Error> {
    if client_hinto_tasks(context) {
        return Ok(());
    }
    Err(Error::missing_capability(&json!({"extensions": {EXTENSION: {}}})))
}

fn client_hinto_tasks(context: &Context) -> bool {
    let declared = context.client_capabilities().and_then(|json| json.parse::<Map<String, Value>>().ok());
    let extensions = declared.as_ref().and_then(|declared| declared.get("extensions"));
    context.version().is_modern()
        && extensions.is_some_and(|all| all.get(EXTENSION).is_some_and(Value::is_object))
}

impl Tasks {
    /// Tasks that are kept in this process, and end with it: 10,000 at most.
    pub fn in_memory() -> Self {
        Self::in_store(TasksInMemory::default())
    }

    /// Tasks that are kept in that store.
    pub fn in_store(store: impl TaskStore) -> Self {
        Self(Arc::new(Inner {
            store: Arc::new(store),
            running: Mutex::default(),
            count: AtomicUsize::new(0),
            changes: OnceLock::new(),
        }))
    }

    /// Answers a call with a task that does `work`, or with what `work` gives where the client knows no tasks.
    ///
    /// It is for tools that decide as they go: ask the user first, and then begin a task. [`ToolExt::into_task`] makes a task
    /// of a whole tool. `work` may ask for [`Input`] as any tool may, and is then called again with the answers.
    ///
    /// # Errors
    ///
    /// `MissingCapability` when the options require tasks and the client knows none; `Overloaded` when there are too many;
    /// what the store says; without a task, what `work` says.
    ///
    /// [`ToolExt::into_task`]: crate::ToolExt::into_task
    pub async fn run<F, Fut>(
        &self,
        context: Context,
        options: &TaskOptions,
        work: F,
    ) -> Result<ToolResult, Error>
    where
        F: Fn(Input) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: ToolOutput> + Send + 'static,
    {
        let work = move |context: Context| {
            let output = work(Input::new(context, "tools/call"));
            async move { output.await.into_result() }
        };
        self.begin(context, options, work).await
    }

    async fn begin<F, Fut>(
        &self,
        context: Context,
        options: &TaskOptions,
        work: F,
    ) -> Result<ToolResult, Error>
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ToolResult, Error>> + Send + 'static,
    {
        if !client_hinto_tasks(&context) {
            if options.is_required {
                check_client(&context)?;
            }
            return work(context).await;
        }
        let owner = context.principal().map(|principal| Arc::from(principal.id()));
        let record = TaskRecord::new(owner.as_deref(), options, self.0.store.believed_until());
        let id: Arc<str> = record.id.as_str().into();
        let runner = Runner::admit(&self.0, Arc::clone(&id), owner)?;
        self.0.store.create(&record).await?;
        tokio::spawn(runner.run(record.clone(), context.for_task(), work));
        Ok(ToolResult::task(record))
    }

    pub(crate) fn tell_changes(&self, changes: Changes) {
        // A second server of the same tasks tells its own clients of its own.
        let _ = self.0.changes.set(changes);
    }
}

impl Inner {
    /// A task as it is now, if it is the caller's. Another's looks as if it were not there.
    async fn find(&self, id: &str, owner: Option<&str>) -> Result<TaskRecord, Error> {
        let unknown = || Error::invalid_params("unknown task: it never was, is not yours, or has expired");
        let record = self.store.get(id).await?.filter(|record| record.owner.as_deref() == owner);
        let record = record.filter(|record| !record.has_expired(now())).ok_or_else(unknown)?;
        if !record.is_orphan(now()) {
            return Ok(record);
        }
        let orphaned = self.change(id, |record| record.is_orphan(now()).then(|| record.orphan())).await?;
        orphaned.ok_or_else(unknown)
    }

    /// Changes a task, unless `change` wants nothing or it is gone. Gives what it is now.
    async fn change(
        &self,
        id: &str,
        change: impl Fn(&mut TaskRecord) -> Option<()>,
    ) -> Result<Option<TaskRecord>, Error> {
        for _ in 0..MAX_TRIES {
            let Some(mut record) = self.store.get(id).await? else { return Ok(None) };
            let revision = record.revision;
            if record.status.is_final() || change(&mut record).is_none() {
                return Ok(Some(record));
            }
            record.revision += 1;
            record.updated_at = now().max(record.updated_at);
            if self.store.replace(&record, revision).await? {
                self.tell(id);
                return Ok(Some(record));
            }
        }
        Err(Error::new(ErrorKind::Overloaded, "the task changes too often; try again"))
    }

    /// Tells who runs a task, and who watches it, that it has changed.
    fn tell(&self, id: &str) {
        if let Some(local) = lock(&self.running).get(id) {
            local.changed.send_replace(());
        }
        if let Some(changes) = self.changes.get() {
            changes.tell(&Change::Task(id.into()));
        }
    }

    fn count(&self, owner: Option<&str>) -> Result<(), Error> {
        let too_many = |why| Err(Error::new(ErrorKind::Overloaded, why));
        let running = lock(&self.running);
        if self.count.load(Ordering::Relaxed) >= MAX_RUNNING {
            return too_many("too many tasks are running; try again later");
        }
        if running.values().filter(|local| local.owner.as_deref() == owner).count() >= MAX_PER_CALLER {
            return too_many("too many of your tasks are running; wait for some, or cancel them");
        }
        Ok(())
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("running", &lock(&self.0.running).len()).finish_non_exhaustive()
    }
}

/// What a task at work says of itself.
#[derive(Clone)]
pub(crate) struct Teller {
    tasks: Arc<Inner>,
    id: Arc<str>,
}

impl Teller {
    /// Says how far the work is.
    pub(crate) async fn say(&self, message: &str) {
        let say = |record: &mut TaskRecord| {
            record.status_message = Some(message.to_owned());
            Some(())
        };
        if let Err(error) = self.tasks.change(&self.id, say).await {
            tracing::debug!(task = &*self.id, %error, "a task's status could not be kept");
        }
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
