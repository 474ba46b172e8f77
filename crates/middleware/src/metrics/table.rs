//! Values by name, for names that come and never go.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use foldhash::fast::RandomState;

/// Values by name. Finding one takes no lock; adding one does. It holds no more than it was made for.
#[derive(Debug)]
pub(super) struct Table<T> {
    /// Open addressing with linear probing. It is at most half full, so an empty slot ends every search.
    slots: Box<[Slot<T>]>,
    hasher: RandomState,
    capacity: usize,
    /// Changed only while `adding` is held.
    len: AtomicUsize,
    adding: Mutex<()>,
}

/// Boxed, because most slots stay empty.
type Slot<T> = OnceLock<Box<(Arc<str>, T)>>;

impl<T> Table<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let slots = (capacity.max(1) * 2).next_power_of_two();
        Self {
            slots: (0..slots).map(|_| OnceLock::new()).collect(),
            hasher: RandomState::default(),
            capacity,
            len: AtomicUsize::new(0),
            adding: Mutex::new(()),
        }
    }

    /// Where the value of that name is, for [`at`](Self::at).
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.search(name).ok()
    }

    /// Where the value of that name is, after adding it if need be. `None` if there is no room.
    pub(super) fn find_or_add(&self, name: &str, make: impl FnOnce(Arc<str>) -> T) -> Option<usize> {
        if let Some(at) = self.find(name) {
            return Some(at);
        }
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        match self.search(name) {
            Ok(at) => Some(at),
            Err(_) if !self.has_room() => None,
            Err(at) => {
                let name: Arc<str> = name.into();
                // Only the holder of the lock fills slots, so this one is still empty.
                self.slots[at].set(Box::new((Arc::clone(&name), make(name)))).ok()?;
                self.len.fetch_add(1, Ordering::Relaxed);
                Some(at)
            }
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.len.load(Ordering::Relaxed) < self.capacity
    }

    pub(super) fn at(&self, at: usize) -> Option<&T> {
        self.slots.get(at)?.get().map(|named| &named.1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.get().map(|named| &named.1))
    }

    /// Where the name is, or the empty slot where it belongs.
    fn search(&self, name: &str) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let mut at = self.hasher.hash_one(name) as usize & mask;
        loop {
            match self.slots[at].get() {
                Some(named) if *named.0 == *name => return Ok(at),
                Some(_) => at = (at + 1) & mask,
                None => return Err(at),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again_up_to_the_bound() {
        let table = Table::new(100);
        for number in 0..100 {
            table.find_or_add(&number.to_string(), |_| number).unwrap();
        }
        for number in 0..100 {
            let at = table.find(&number.to_string()).unwrap();
            assert_eq!(table.at(at), Some(&number));
        }
        assert_eq!(table.find_or_add("one more", |_| 0), None);
        assert!(table.find_or_add("7", |_| 0).is_some());
        assert_eq!(table.iter().count(), 100);
    }

    #[test]
    fn threads_that_add_the_same_names_agree() {
        let table = Table::new(64);
        let add = || (0..64).map(|n| table.find_or_add(&n.to_string(), |_| n)).collect::<Vec<_>>();
        let places = std::thread::scope(|scope| {
            let threads = [scope.spawn(add), scope.spawn(add), scope.spawn(add)];
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(places[0], places[1]);
        assert_eq!(places[1], places[2]);
        assert_eq!(table.iter().count(), 64);
    }
}
