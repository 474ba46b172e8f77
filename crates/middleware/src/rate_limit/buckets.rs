//! The buckets of one policy, by key: bounded, whatever callers send.
//!
//! A bucket is forgotten only when it is full again, and then nothing is lost: a new one is full, too. So nobody gets
//! an allowance back by making the store forget. When there is no room for one more, those that come share one
//! bucket; they may get less than their own would give them, never more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use tokio::time::Instant;

use super::key::Key;

/// Stores with more room than this are split, so that calls seldom wait for each other.
const SPLIT_ABOVE: usize = 4096;
const SHARDS: usize = 16;

/// At how many buckets a call looks in search of one that is full, and so may be another's from now on.
const LOOKED_AT: usize = 4;

#[derive(Debug)]
pub(super) enum Buckets {
    /// Where the policy tells nothing apart.
    One(Mutex<Instant>),
    ByKey(Box<[Mutex<Shard>]>),
}

/// A bucket that nobody else looks at meanwhile. It changes only by [`set`](Self::set).
#[derive(Debug)]
pub(super) enum Bucket<'a> {
    One(MutexGuard<'a, Instant>),
    ByKey { shard: MutexGuard<'a, Shard>, key: Key, place: Place },
}

impl Buckets {
    pub(super) fn one() -> Self {
        Self::One(Mutex::new(Instant::now()))
    }

    pub(super) fn by_key(max_keys: usize) -> Self {
        let shards = if max_keys > SPLIT_ABOVE { SHARDS } else { 1 };
        let shard = || Mutex::new(Shard::new(max_keys / shards));
        Self::ByKey(std::iter::repeat_with(shard).take(shards).collect())
    }

    /// The bucket of a key. A lock is held until it is dropped.
    pub(super) fn lock(&self, key: impl FnOnce() -> Key, now: Instant) -> Bucket<'_> {
        match self {
            Self::One(full_at) => Bucket::One(full_at.lock().unwrap_or_else(PoisonError::into_inner)),
            Self::ByKey(shards) => {
                let key = key();
                let shard = &shards[key.shard(shards.len())];
                let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                let place = shard.find(key, now);
                Bucket::ByKey { shard, key, place }
            }
        }
    }

    /// How many keys are held.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::ByKey(shards) => {
                let lengths = shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
                lengths.map(|shard| shard.slots.len()).sum()
            }
        }
    }
}

impl Bucket<'_> {
    /// When it will be full: in the past if it is.
    pub(super) fn full_at(&self) -> Instant {
        match self {
            Self::One(full_at) => **full_at,
            Self::ByKey { shard, place, .. } => shard.full_at(*place),
        }
    }

    pub(super) fn set(&mut self, full_at: Instant) {
        match self {
            Self::One(own) => **own = full_at,
            Self::ByKey { shard, key, place } => *place = shard.set(*key, *place, full_at),
        }
    }

    pub(super) fn key(&self) -> Key {
        match self {
            Self::One(_) => Key::default(),
            Self::ByKey { key, .. } => *key,
        }
    }
}

#[derive(Debug)]
pub(super) struct Shard {
    places: HashMap<Key, usize, RandomState>,
    slots: Vec<Slot>,
    /// Where the next search for a full bucket begins.
    hand: usize,
    room: usize,
    /// When the bucket will be full that all share for whom there is no room.
    shared: Instant,
    born: Instant,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    full_at: Instant,
}

/// Where a key's bucket is, or would be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Held(usize),
    /// In the place of one that is full.
    Reused(usize),
    /// Behind the last.
    Added,
    Shared,
}

impl Shard {
    fn new(room: usize) -> Self {
        let now = Instant::now();
        Self { places: HashMap::default(), slots: Vec::new(), hand: 0, room, shared: now, born: now }
    }

    fn find(&mut self, key: Key, now: Instant) -> Place {
        if let Some(at) = self.places.get(&key) {
            return Place::Held(*at);
        }
        // Before the store grows, what is full is used again: it holds about as many keys as are in use.
        for _ in 0..self.slots.len().min(LOOKED_AT) {
            let at = self.hand;
            self.hand = (at + 1) % self.slots.len();
            if self.slots[at].full_at <= now {
                return Place::Reused(at);
            }
        }
        if self.slots.len() < self.room { Place::Added } else { Place::Shared }
    }

    fn full_at(&self, place: Place) -> Instant {
        match place {
            Place::Held(at) => self.slots[at].full_at,
            Place::Shared => self.shared,
            Place::Reused(_) | Place::Added => self.born,
        }
    }

    fn set(&mut self, key: Key, place: Place, full_at: Instant) -> Place {
        let at = match place {
            Place::Held(at) => at,
            Place::Reused(at) => {
                self.places.remove(&self.slots[at].key);
                self.slots[at].key = key;
                at
            }
            Place::Added => {
                self.slots.push(Slot { key, full_at });
                self.slots.len() - 1
            }
            Place::Shared => {
                self.shared = full_at;
                return place;
            }
        };
        self.slots[at].full_at = full_at;
        if !matches!(place, Place::Held(_)) {
            self.places.insert(key, at);
        }
        Place::Held(at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn key(n: u64) -> Key {
        Key::from_parts(n, n)
    }

    #[test]
    fn a_bucket_that_is_full_makes_room_for_another() {
        let (buckets, now) = (Buckets::by_key(2), Instant::now());
        for n in 0..2 {
            buckets.lock(|| key(n), now).set(now + SECOND);
        }
        let later = now + SECOND;
        buckets.lock(|| key(2), later).set(later + SECOND);
        buckets.lock(|| key(3), later).set(later + SECOND);
        assert_eq!(buckets.held(), 2);
        assert_eq!(buckets.lock(|| key(3), later).full_at(), later + SECOND);
        assert!(buckets.lock(|| key(0), later).full_at() <= later);
    }

    #[test]
    fn a_bucket_that_is_not_full_is_never_forgotten() {
        let (buckets, now) = (Buckets::by_key(2), Instant::now());
        for n in 0..100 {
            buckets.lock(|| key(n), now).set(now + SECOND * 10);
        }
        assert_eq!(buckets.held(), 2);
        for n in 0..100 {
            let bucket = buckets.lock(|| key(n), now + SECOND);
            assert_eq!(bucket.full_at(), now + SECOND * 10);
            let is_shared = matches!(bucket, Bucket::ByKey { place: Place::Shared, .. });
            assert_eq!(is_shared, n >= 2, "{n}");
        }
    }

    #[test]
    fn a_bucket_that_was_only_looked_at_takes_no_room() {
        let (buckets, now) = (Buckets::by_key(10), Instant::now());
        for n in 0..10 {
            assert!(buckets.lock(|| key(n), now).full_at() <= now);
        }
        assert_eq!(buckets.held(), 0);
    }
}
