//! Tasks in the memory of one process.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::record::TaskRecord;
use super::store::TaskStore;
use super::{lock, now};
use crate::error::{Error, ErrorKind};

/// Keeps tasks in this process: 10,000 at most. When there are as many, those that are done longest make room.
#[derive(Debug, Default)]
pub struct TasksInMemory(Mutex<HashMap<String, TaskRecord>>);

impl TasksInMemory {
    const MAX: usize = 10_000;
}

#[async_trait]
impl TaskStore for TasksInMemory {
    async fn create(&self, task: &TaskRecord) -> Result<(), Error> {
        let mut tasks = lock(&self.0);
        if tasks.len() >= Self::MAX {
            let now = now();
            tasks.retain(|_, task| !task.has_expired(now));
        }
        if tasks.len() >= Self::MAX {
            let done = tasks.values().filter(|task| task.status.is_final());
            let longest = done.min_by_key(|task| task.updated_at).map(|task| task.id.clone());
            let full = || Error::new(ErrorKind::Overloaded, "too many tasks are kept; try again later");
            tasks.remove(&longest.ok_or_else(full)?);
        }
        tasks.insert(task.id.clone(), task.clone());
        Ok(())
    }

    async fn get(&self, id: &str) -> Result<Option<TaskRecord>, Error> {
        Ok(lock(&self.0).get(id).cloned())
    }

    async fn replace(&self, task: &TaskRecord, expected: u64) -> Result<bool, Error> {
        let mut tasks = lock(&self.0);
        match tasks.get_mut(&task.id) {
            Some(kept) if kept.revision == expected => {
                kept.clone_from(task);
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
