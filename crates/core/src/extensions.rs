//! What layers and transports attach to a request.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

type Entry = (TypeId, Arc<dyn Any + Send + Sync>);

/// Values by type that layers and transports attach to a request: a principal, a deadline, a client's address.
///
/// A clone is a refcount, and an insertion after a clone leaves the other side alone. An empty set costs nothing.
#[derive(Clone, Default)]
pub struct Extensions(Option<Arc<Vec<Entry>>>);

impl Extensions {
    /// Attaches a value; it replaces one of the same type.
    pub fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        let id = TypeId::of::<T>();
        let entries = Arc::make_mut(self.0.get_or_insert_with(Arc::default));
        entries.retain(|(other, _)| *other != id);
        entries.push((id, Arc::new(value)));
    }

    /// Attaches all values of another set; they replace those of the same types.
    pub fn extend(&mut self, other: Self) {
        let (Some(own), Some(new)) = (&mut self.0, &other.0) else {
            self.0 = self.0.take().or(other.0);
            return;
        };
        let entries = Arc::make_mut(own);
        entries.retain(|(id, _)| new.iter().all(|(other, _)| other != id));
        entries.extend(new.iter().cloned());
    }

    /// The value of that type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        // There are a few entries at most: a scan beats a hash.
        let (_, value) = self.0.as_ref()?.iter().find(|(other, _)| *other == id)?;
        value.downcast_ref()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may be secrets.
        write!(f, "Extensions({})", self.0.as_ref().map_or(0, |entries| entries.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_not_changed_by_a_later_insertion() {
        let mut first = Extensions::default();
        first.insert(1_u32);
        let second = first.clone();
        first.insert(2_u32);
        first.insert("new");
        assert_eq!((first.get::<u32>(), second.get::<u32>()), (Some(&2), Some(&1)));
        assert_eq!(second.get::<&str>(), None);
    }

    #[test]
    fn a_set_added_to_another_wins() {
        let (mut first, mut second) = (Extensions::default(), Extensions::default());
        first.insert(1_u32);
        first.insert("kept");
        second.insert(2_u32);
        first.extend(second);
        first.extend(Extensions::default());
        assert_eq!((first.get::<u32>(), first.get::<&str>()), (Some(&2), Some(&"kept")));
    }
}
