//! What a registry reads of parts that are made one by one.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

/// Parts of one kind, which a registry must read together: a metric has one description.
pub(super) struct Grown<T, All>(Arc<Mutex<Vec<T>>>, PhantomData<fn() -> All>);

impl<T: Clone, All> Grown<T, All> {
    pub(super) fn push(&self, part: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(part);
    }

    pub(super) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T, All> Collector for Grown<T, All>
where
    T: Clone + Send + Sync + fmt::Debug + 'static,
    All: Collector + for<'a> FromIterator<&'a T>,
{
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.all().iter().collect::<All>().encode(encoder)
    }
}

impl<T, All> Clone for Grown<T, All> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl<T, All> Default for Grown<T, All> {
    fn default() -> Self {
        Self(Arc::default(), PhantomData)
    }
}

impl<T, All> fmt::Debug for Grown<T, All> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Grown")
    }
}
