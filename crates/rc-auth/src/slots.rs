//! The grants of this process: the most recent ones, and whatever somebody still holds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
};

use quick_cache::{UnitWeighter, sync::Cache, sync::DefaultLifecycle};
use rc_store::RecordKey;

use crate::{key::KeyHashers, shared::lock, slot::Slot};

/// Never two slots for one record: one that the cache has let go lives on while a handle holds it, and hears
/// of changes like all others.
#[derive(Debug)]
pub(crate) struct Slots {
    recent: Cache<RecordKey, Arc<Slot>, UnitWeighter, KeyHashers>,
    living: Mutex<Living>,
}

#[derive(Debug, Default)]
struct Living {
    slots: BTreeMap<RecordKey, Weak<Slot>>,
    /// From this size on, those that are gone are cleared away.
    clear_at: usize,
}

impl Slots {
    pub(crate) fn new(most: usize, hashers: KeyHashers) -> Self {
        let lifecycle = DefaultLifecycle::default();
        Self {
            recent: Cache::with(most, most as u64, UnitWeighter, hashers, lifecycle),
            living: Mutex::default(),
        }
    }

    /// The slot of a record, if this process has one.
    pub(crate) fn get(&self, key: &RecordKey) -> Option<Arc<Slot>> {
        let living = lock(&self.living);
        living.slots.get(key).and_then(Weak::upgrade)
    }

    pub(crate) fn get_or_make(&self, key: RecordKey, make: impl FnOnce() -> Slot) -> Arc<Slot> {
        if let Some(slot) = self.recent.get(&key) {
            return slot;
        }
        let slot = lock(&self.living).get_or_make(key, make);
        self.recent.insert(key, slot.clone());
        slot
    }

    /// All slots of this process.
    pub(crate) fn all(&self) -> Vec<Arc<Slot>> {
        let living = lock(&self.living);
        living.slots.values().filter_map(Weak::upgrade).collect()
    }
}

impl Living {
    /// How many there are at least before anything is cleared away.
    const FEW: usize = 1024;

    fn get_or_make(&mut self, key: RecordKey, make: impl FnOnce() -> Slot) -> Arc<Slot> {
        if let Some(slot) = self.slots.get(&key).and_then(Weak::upgrade) {
            return slot;
        }
        let slot = Arc::new(make());
        self.slots.insert(key, Arc::downgrade(&slot));
        if self.slots.len() >= self.clear_at.max(Self::FEW) {
            self.slots.retain(|_, slot| slot.strong_count() > 0);
            self.clear_at = 2 * self.slots.len();
        }
        slot
    }
}
