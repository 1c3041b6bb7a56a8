//! The grants of this process: the most recent ones, and whatever somebody still holds.

mod grant;
pub(crate) mod intents;
mod server;
mod shown;
mod token;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, Weak},
};

use quick_cache::{UnitWeighter, sync::Cache, sync::DefaultLifecycle};
use rc_store::RecordKey;

use self::intents::Intents;
pub(crate) use self::{
    grant::{Inner, LiveGrant, Rules, TokenState},
    server::Server,
    token::UsableToken,
};
use crate::{key::KeyHashers, tasks::lock};

/// Never two grants for one record: one that the cache has let go lives on while a handle holds it, and hears
/// of changes like all others.
#[derive(Debug)]
pub(crate) struct LiveGrants {
    recent: Cache<RecordKey, Arc<LiveGrant>, UnitWeighter, KeyHashers>,
    living: Mutex<Living>,
    rules: Arc<Rules>,
    /// Intents of other processes, which nobody may ask about here.
    intents: Mutex<Intents>,
}

#[derive(Debug, Default)]
struct Living {
    grants: BTreeMap<RecordKey, Weak<LiveGrant>>,
    /// From this size on, those that are gone are cleared away.
    clear_at: usize,
}

impl LiveGrants {
    /// Keeps `most` grants that nobody holds.
    pub(crate) fn new(most: usize, rules: Rules) -> Self {
        let lifecycle = DefaultLifecycle::default();
        let hashers = KeyHashers::new(rules.seed);
        Self {
            recent: Cache::with(most, most as u64, UnitWeighter, hashers, lifecycle),
            living: Mutex::default(),
            rules: Arc::new(rules),
            intents: Mutex::default(),
        }
    }

    /// Since when each intent of another process was seen without a change.
    pub(crate) fn intents(&self) -> MutexGuard<'_, Intents> {
        lock(&self.intents)
    }

    /// The grant of a record, if this process has one.
    pub(crate) fn get(&self, key: &RecordKey) -> Option<Arc<LiveGrant>> {
        let living = lock(&self.living);
        living.grants.get(key).and_then(Weak::upgrade)
    }

    /// The grant of a record, made if this process has none. Reads nothing.
    pub(crate) fn get_or_make(&self, key: RecordKey) -> Arc<LiveGrant> {
        if let Some(live) = self.recent.get(&key) {
            return live;
        }
        let make = || LiveGrant::new(key, self.rules.clone());
        let live = lock(&self.living).get_or_make(key, make);
        self.recent.insert(key, live.clone());
        live
    }

    /// All grants of this process.
    pub(crate) fn all(&self) -> Vec<Arc<LiveGrant>> {
        let living = lock(&self.living);
        living.grants.values().filter_map(Weak::upgrade).collect()
    }
}

impl Living {
    /// How many there are at least before anything is cleared away.
    const FEW: usize = 1024;

    fn get_or_make(&mut self, key: RecordKey, make: impl FnOnce() -> LiveGrant) -> Arc<LiveGrant> {
        if let Some(live) = self.grants.get(&key).and_then(Weak::upgrade) {
            return live;
        }
        let live = Arc::new(make());
        self.grants.insert(key, Arc::downgrade(&live));
        if self.grants.len() >= self.clear_at.max(Self::FEW) {
            self.grants.retain(|_, live| live.strong_count() > 0);
            self.clear_at = 2 * self.grants.len();
        }
        live
    }
}
