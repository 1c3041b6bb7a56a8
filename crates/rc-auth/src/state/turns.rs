//! Due records that are being looked after: nothing waits for another, and none is looked after twice at once.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use rc_store::RecordKey;
use tokio::sync::Semaphore;

use crate::tasks::lock;

/// How many records are looked after at once: as many token requests as a platform may be sent side by side
/// after a process died.
const AT_ONCE: usize = 64;
/// How many more may wait for their turn; the rest is found by the next sweep.
const QUEUE: usize = 2000;

#[derive(Clone, Debug)]
pub(crate) struct Turns {
    keys: Arc<Mutex<BTreeSet<RecordKey>>>,
    pub(crate) permits: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            keys: Arc::default(),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

/// What became of asking for a turn.
pub(crate) enum Asked {
    /// Here it is.
    Turn(Turn),
    /// The record is being looked after.
    HasOne,
    /// Too many wait.
    TooMany,
}

/// One record's turn, over when it is dropped.
pub(crate) struct Turn {
    turns: Turns,
    pub(crate) key: RecordKey,
}

impl Turns {
    pub(crate) fn ask(&self, key: RecordKey) -> Asked {
        let mut keys = lock(&self.keys);
        if keys.len() >= AT_ONCE + QUEUE {
            return Asked::TooMany;
        }
        if !keys.insert(key) {
            return Asked::HasOne;
        }
        Asked::Turn(Turn {
            turns: self.clone(),
            key,
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.turns.keys).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_has_one_turn_and_beyond_those_that_may_wait_nobody_has() {
        let turns = Turns::default();
        let key = |n: usize| RecordKey::derive(&[&n.to_le_bytes()]);
        let mut taken: Vec<Asked> = (0..AT_ONCE + QUEUE).map(|n| turns.ask(key(n))).collect();
        assert!(taken.iter().all(|asked| matches!(asked, Asked::Turn(_))));
        assert!(matches!(turns.ask(key(AT_ONCE + QUEUE)), Asked::TooMany));
        taken.truncate(10);
        assert!(matches!(turns.ask(key(9)), Asked::HasOne));
        assert!(matches!(turns.ask(key(10)), Asked::Turn(_)));
    }
}
