//! Where answers are kept, and how they are forgotten.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as SystemInstant};

use moka::Expiry;
use moka::sync::Cache;
use serde_json::{Map, json};
use tokio::time::Instant;
use towline_core::ToolResult;

use super::counts::{CacheStats, Counts};
use super::key::Key;
use super::policy::CacheConfig;

/// Where an answer says that it has been given before.
const META: &str = "dev.towline/cache";

/// Tools that are counted, and forgotten, each by itself. They come from registration, so more are a mistake; the
/// rest is one.
const MAX_TOOLS: usize = 1000;

/// Answers of any number of tools, within bounds that they share. A clone is a handle to the same answers.
///
/// Answers are kept for each service that a [`CacheLayer`](super::CacheLayer) was put around: two tools of one name
/// in two servers never answer for each other. To register with prometheus-client it is a
/// [`Collector`](prometheus_client::collector::Collector).
#[derive(Clone)]
pub struct CacheStore(Arc<Inner>);

struct Inner {
    entries: Cache<Key, Arc<Entry>>,
    bytes: Arc<AtomicU64>,
    /// How often everything was forgotten.
    generation: AtomicU64,
    tools: Mutex<HashMap<Arc<str>, Arc<CachedTool>>>,
    tags: Mutex<HashMap<Arc<str>, Arc<AtomicU64>>>,
    services: AtomicU64,
}

/// A tool whose answers are kept.
pub(super) struct CachedTool {
    pub(super) name: Arc<str>,
    pub(super) counts: Counts,
    /// How often its answers were forgotten.
    generation: AtomicU64,
}

/// An answer.
pub(super) struct Entry {
    pub(super) result: ToolResult,
    pub(super) stored_at: Instant,
    pub(super) fresh_for: Duration,
    /// For how long it may be of any use.
    pub(super) keep: Duration,
    /// What [`CacheStore::generation`] was when its load began.
    pub(super) generation: u64,
    pub(super) bytes: usize,
}

impl CacheStore {
    /// An empty store within these bounds.
    ///
    /// Bounds of zero, which [`CacheConfig::validate`] refuses, keep nothing.
    pub fn new(config: &CacheConfig) -> Self {
        // One bound does the work of both: an entry weighs at least its share of the bytes.
        let least = (config.max_bytes / config.max_entries.max(1)).clamp(1, u64::from(u32::MAX));
        let capacity = config.max_bytes.min(least.saturating_mul(config.max_entries));
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&bytes);
        let entries = Cache::builder()
            .name("mcp")
            .max_capacity(capacity)
            .weigher(move |_, entry: &Arc<Entry>| {
                u32::try_from((entry.bytes as u64).max(least)).unwrap_or(u32::MAX)
            })
            .expire_after(Outer)
            .eviction_listener(move |_, entry, _| {
                counted.fetch_sub(entry.bytes as u64, Ordering::Relaxed);
            })
            .build();
        Self(Arc::new(Inner {
            entries,
            bytes,
            generation: AtomicU64::new(0),
            tools: Mutex::default(),
            tags: Mutex::default(),
            services: AtomicU64::new(0),
        }))
    }

    /// Forgets the answers of all tools of that name, also those that are being loaded. It takes the same time
    /// however many there are.
    pub fn invalidate_tool(&self, name: &str) {
        let tools = lock(&self.0.tools);
        if let Some(tool) = tools.get(name).or_else(|| tools.get(Counts::OTHER)) {
            tool.generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Forgets the answers of all tools whose policy has that tag, also those that are being loaded. It takes the
    /// same time however many there are.
    pub fn invalidate_tag(&self, tag: &str) {
        if let Some(generation) = lock(&self.0.tags).get(tag) {
            generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Forgets all answers, also those that are being loaded.
    pub fn invalidate_all(&self) {
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        self.0.entries.invalidate_all();
    }

    /// What the store holds now, and what it has done.
    pub fn stats(&self) -> CacheStats {
        self.0.entries.run_pending_tasks();
        let mut tools: Vec<_> = self.tools().iter().map(|tool| tool.counts.stats(&tool.name)).collect();
        tools.sort_by(|one, other| one.tool.cmp(&other.tool));
        CacheStats {
            entries: self.0.entries.entry_count(),
            bytes: self.0.bytes.load(Ordering::Relaxed),
            tools,
        }
    }

    pub(super) fn tools(&self) -> Vec<Arc<CachedTool>> {
        lock(&self.0.tools).values().cloned().collect()
    }

    /// The tool of that name.
    pub(super) fn tool(&self, name: &str) -> Arc<CachedTool> {
        let mut tools = lock(&self.0.tools);
        if let Some(tool) = tools.get(name) {
            return Arc::clone(tool);
        }
        let name: Arc<str> = if tools.len() < MAX_TOOLS { name.into() } else { Counts::OTHER.into() };
        let new = || CachedTool {
            name: Arc::clone(&name),
            counts: Counts::default(),
            generation: AtomicU64::new(0),
        };
        Arc::clone(tools.entry(Arc::clone(&name)).or_insert_with(|| Arc::new(new())))
    }

    /// A number that no other service has.
    pub(crate) fn next_service(&self) -> u64 {
        self.0.services.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn tag(&self, tag: &str) -> Arc<AtomicU64> {
        Arc::clone(lock(&self.0.tags).entry(tag.into()).or_default())
    }

    /// A number that grows whenever answers of this tool are forgotten. What was loaded at another is forgotten.
    ///
    /// It is a sum of numbers that only grow, so it grows with each of them.
    pub(super) fn generation(&self, tool: &CachedTool, tags: &[Arc<AtomicU64>]) -> u64 {
        let own = self.0.generation.load(Ordering::Acquire) + tool.generation.load(Ordering::Acquire);
        tags.iter().fold(own, |sum, tag| sum + tag.load(Ordering::Acquire))
    }

    /// What is kept under a key, unless it was forgotten.
    pub(super) fn get(&self, key: &[u8], generation: u64) -> Option<Arc<Entry>> {
        self.0.entries.get(key).filter(|entry| entry.generation == generation)
    }

    pub(super) fn insert(&self, key: Key, entry: Arc<Entry>) {
        self.0.bytes.fetch_add(entry.bytes as u64, Ordering::Relaxed);
        self.0.entries.insert(key, entry);
    }
}

impl Default for CacheStore {
    fn default() -> Self {
        Self::new(&CacheConfig::default())
    }
}

impl fmt::Debug for CacheStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Answers are the callers' own.
        f.debug_struct("CacheStore").field("entries", &self.0.entries.entry_count()).finish_non_exhaustive()
    }
}

impl Entry {
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.stored_at)
    }

    /// The answer, with a word on how old it is.
    pub(super) fn answer(&self, now: Instant, is_stale: bool) -> ToolResult {
        let age = u64::try_from(self.age(now).as_millis()).unwrap_or(u64::MAX);
        let mut meta = self.result.meta().cloned().unwrap_or_else(Map::new);
        meta.insert(META.to_owned(), json!({"ageMs": age, "stale": is_stale}));
        self.result.clone().with_meta(meta)
    }
}

/// Lets go of entries that can be of no use. When they are fresh is judged elsewhere, on tokio's clock.
struct Outer;

impl Expiry<Key, Arc<Entry>> for Outer {
    fn expire_after_create(&self, _: &Key, entry: &Arc<Entry>, _: SystemInstant) -> Option<Duration> {
        Some(entry.keep)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        entry: &Arc<Entry>,
        _: SystemInstant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.keep)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
