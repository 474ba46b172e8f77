//! Who is told of what changes.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::principal::{ClientAddr, Principal};
use crate::protocol::SubscriptionFilter;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, Notify, PoisonError, RwLock};

/// The most subscriptions of one client.
const MAX_PER_CLIENT: usize = 64;
/// The most subscriptions of all clients.
const MAX: usize = 10_000;
/// The most resources, and the most tasks, of one subscription.
const MAX_WATCHED: usize = 1_000;

/// Something that changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The lists of resources and templates.
    Resources,
    /// The resource at that URI.
    Resource(Arc<str>),
    /// The task of that id.
    Task(Arc<str>),
}

/// Who is told of what changes. A clone is a handle to the same.
///
/// Telling never waits: each subscription notes what has changed until its reader takes it, and a thing that changes twice
/// meanwhile is noted once. So a reader that is slow, or gone without a word, costs no more than what it watches.
#[derive(Clone, Debug, Default)]
pub struct Changes(Arc<Hub>);

#[derive(Debug, Default)]
struct Hub {
    subscribers: RwLock<HashMap<u64, Arc<Subscriber>>>,
    by_client: Mutex<HashMap<ClientKey, usize>>,
    last: AtomicU64,
}

#[derive(Debug, Default)]
struct Subscriber {
    watched: RwLock<Watched>,
    pending: Mutex<Pending>,
    noted: Notify,
}

/// What one subscription is told of.
#[derive(Debug, Default)]
struct Watched {
    lists: Lists,
    resources: HashSet<Arc<str>>,
    tasks: HashSet<Arc<str>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lists {
    tools: bool,
    prompts: bool,
    resources: bool,
}

/// What has changed and not been taken, in the order in which it changed first.
#[derive(Debug, Default)]
struct Pending {
    order: std::collections::VecDeque<Change>,
    noted: HashSet<Change>,
}

/// Whose subscriptions are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum ClientKey {
    Principal(Principal),
    Address(IpAddr),
    Local,
}

impl ClientKey {
    fn of(context: &Context) -> Self {
        match (context.principal(), context.extensions().get::<ClientAddr>()) {
            (Some(principal), _) => Self::Principal(principal.clone()),
            (None, Some(address)) => Self::Address(address.0.ip()),
            (None, None) => Self::Local,
        }
    }
}

impl Changes {
    /// Tells whoever wants to know. It never waits.
    pub fn tell(&self, change: &Change) {
        let subscribers = self.0.subscribers.read().unwrap_or_else(PoisonError::into_inner);
        for subscriber in subscribers.values().filter(|subscriber| subscriber.watches(change)) {
            subscriber.note(change);
        }
    }

    /// Begins to note what the filter asks for.
    ///
    /// # Errors
    ///
    /// `InvalidParams` when it asks for too much, `Overloaded` when the client, or all of them, have too many subscriptions.
    pub fn subscribe(&self, filter: &SubscriptionFilter, context: &Context) -> Result<Subscription, Error> {
        if filter.resource_subscriptions.len().max(filter.task_ids.len()) > MAX_WATCHED {
            let why = format!("a subscription names at most {MAX_WATCHED} resources, and as many tasks");
            return Err(Error::invalid_params(why));
        }
        let watched = Watched {
            lists: Lists {
                tools: filter.tools_list_changed,
                prompts: filter.prompts_list_changed,
                resources: filter.resources_list_changed,
            },
            resources: filter.resource_subscriptions.iter().map(|uri| uri.as_str().into()).collect(),
            tasks: filter.task_ids.iter().map(|id| id.as_str().into()).collect(),
        };
        let client = ClientKey::of(context);
        self.count(&client)?;
        let subscriber = Arc::new(Subscriber { watched: RwLock::new(watched), ..Subscriber::default() });
        let number = self.0.last.fetch_add(1, Ordering::Relaxed);
        let mut subscribers = self.0.subscribers.write().unwrap_or_else(PoisonError::into_inner);
        subscribers.insert(number, Arc::clone(&subscriber));
        drop(subscribers);
        Ok(Subscription { changes: self.clone(), number, client, subscriber })
    }

    /// How many subscriptions there are.
    pub fn subscriptions(&self) -> usize {
        self.0.subscribers.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn count(&self, client: &ClientKey) -> Result<(), Error> {
        let too_many = |why| Err(Error::new(ErrorKind::Overloaded, why));
        if self.subscriptions() >= MAX {
            return too_many("too many subscriptions; try again later");
        }
        let mut by_client = lock(&self.0.by_client);
        let count = by_client.entry(client.clone()).or_default();
        if *count >= MAX_PER_CLIENT {
            return too_many("too many subscriptions of this client; end some first");
        }
        *count += 1;
        Ok(())
    }
}

impl Watched {
    fn has(&self, change: &Change) -> bool {
        match change {
            Change::Tools => self.lists.tools,
            Change::Prompts => self.lists.prompts,
            Change::Resources => self.lists.resources,
            Change::Resource(uri) => self.resources.contains(uri),
            Change::Task(id) => self.tasks.contains(id),
        }
    }
}

impl Subscriber {
    fn watches(&self, change: &Change) -> bool {
        self.watched.read().unwrap_or_else(PoisonError::into_inner).has(change)
    }

    fn change_watched<T>(&self, change: impl FnOnce(&mut Watched) -> T) -> T {
        change(&mut self.watched.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, change: &Change) {
        let mut pending = lock(&self.pending);
        if pending.noted.insert(change.clone()) {
            pending.order.push_back(change.clone());
            drop(pending);
            self.noted.notify_one();
        }
    }
}

/// What has changed, of what one client wants to know. It ends when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    changes: Changes,
    number: u64,
    client: ClientKey,
    subscriber: Arc<Subscriber>,
}

impl Subscription {
    /// Waits for the next thing that changes. Dropping the future loses nothing.
    pub async fn next(&self) -> Change {
        loop {
            if let Some(change) = self.take() {
                return change;
            }
            self.subscriber.noted.notified().await;
        }
    }

    /// Begins to note changes of one more resource. What is noted already stays.
    ///
    /// # Errors
    ///
    /// `InvalidParams` when these are too many.
    pub fn watch(&self, uri: &str) -> Result<(), Error> {
        let is_watched = self.subscriber.change_watched(|watched| {
            let has_room = watched.resources.len() < MAX_WATCHED || watched.resources.contains(uri);
            has_room && {
                watched.resources.insert(uri.into());
                true
            }
        });
        if is_watched {
            return Ok(());
        }
        Err(Error::invalid_params(format!("a client watches at most {MAX_WATCHED} resources")))
    }

    /// Notes no more changes of a resource, and forgets what of it has not been taken.
    pub fn unwatch(&self, uri: &str) {
        self.subscriber.change_watched(|watched| watched.resources.remove(uri));
        let change = Change::Resource(uri.into());
        let mut pending = lock(&self.subscriber.pending);
        if pending.noted.remove(&change) {
            pending.order.retain(|noted| *noted != change);
        }
    }

    fn take(&self) -> Option<Change> {
        let mut pending = lock(&self.subscriber.pending);
        let change = pending.order.pop_front()?;
        pending.noted.remove(&change);
        Some(change)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.changes.0.subscribers.write().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        let mut by_client = lock(&self.changes.0.by_client);
        if let Some(count) = by_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                by_client.remove(&self.client);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing can leave what it guards half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn filter(uris: &[&str]) -> SubscriptionFilter {
        SubscriptionFilter {
            tools_list_changed: true,
            resource_subscriptions: uris.iter().map(|uri| (*uri).to_owned()).collect(),
            ..SubscriptionFilter::default()
        }
    }

    fn subscribe(changes: &Changes, uris: &[&str]) -> Subscription {
        changes.subscribe(&filter(uris), &Context::default()).unwrap()
    }

    #[tokio::test]
    async fn each_is_told_of_what_it_watches_and_once_of_what_changed_twice() {
        let changes = Changes::default();
        let (one, two) = (subscribe(&changes, &["a"]), subscribe(&changes, &["b"]));
        let resource = |uri: &str| Change::Resource(uri.into());
        for _ in 0..1000 {
            changes.tell(&resource("a"));
            changes.tell(&Change::Prompts);
        }
        changes.tell(&Change::Tools);
        assert_eq!((one.next().await, one.next().await), (resource("a"), Change::Tools));
        assert_eq!(one.next().now_or_never(), None);
        assert_eq!(two.next().await, Change::Tools);
        changes.tell(&resource("a"));
        assert_eq!(one.next().await, resource("a"), "it has changed again");
    }

    #[tokio::test]
    async fn what_is_watched_may_change_and_what_is_noted_stays() {
        let changes = Changes::default();
        let subscription = subscribe(&changes, &["a"]);
        let resource = |uri: &str| Change::Resource(uri.into());
        changes.tell(&Change::Tools);
        changes.tell(&resource("a"));
        subscription.watch("b").unwrap();
        subscription.unwatch("a");
        changes.tell(&resource("a"));
        changes.tell(&resource("b"));
        assert_eq!((subscription.next().await, subscription.next().await), (Change::Tools, resource("b")));
        assert_eq!(subscription.next().now_or_never(), None);
        for number in 1..MAX_WATCHED {
            subscription.watch(&number.to_string()).unwrap();
        }
        subscription.watch("b").unwrap();
        assert_eq!(subscription.watch("c").unwrap_err().kind(), ErrorKind::InvalidParams);
    }

    #[tokio::test]
    async fn what_ends_is_forgotten_and_there_is_a_bound() {
        let changes = Changes::default();
        let all: Vec<_> = (0..MAX_PER_CLIENT).map(|_| subscribe(&changes, &[])).collect();
        let refused = changes.subscribe(&filter(&[]), &Context::default()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Overloaded);
        let mut other = Context::default();
        other.extensions_mut().insert(Principal::new("other"));
        let theirs = changes.subscribe(&filter(&[]), &other).unwrap();
        drop((all, theirs));
        assert_eq!(changes.subscriptions(), 0);
        assert!(lock(&changes.0.by_client).is_empty());
        let many: Vec<String> = (0..=MAX_WATCHED).map(|n| n.to_string()).collect();
        let many = SubscriptionFilter { resource_subscriptions: many, ..SubscriptionFilter::default() };
        let refused = changes.subscribe(&many, &Context::default()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidParams);
    }
}
