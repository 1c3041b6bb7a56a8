//! Sign-ins of this process that are in the air.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::sync::watch;

use crate::{error::SignInError, key::GrantKey, records::CodeDigest, tasks::lock};

/// How a sign-in ended.
pub(crate) type Finished = Result<GrantKey, SignInError>;

/// Where somebody waits for the end of a sign-in.
pub(crate) type Outcome = watch::Receiver<Option<Finished>>;

/// The sign-ins in the air, by the digest of their state: a duplicate of one waits for its outcome.
#[derive(Clone, Debug, Default)]
pub(crate) struct SignIns(Arc<Mutex<BTreeMap<[u8; 32], InTheAir>>>);

/// What came with a state, and what comes of it.
#[derive(Clone, Debug)]
struct InTheAir {
    code: CodeDigest,
    outcome: Outcome,
}

/// What is to be done for a callback.
pub(crate) enum Joined {
    /// Nobody is at work on its state: exchange the code.
    First(Entry),
    /// The same callback is being worked on.
    Same(Outcome),
    /// The state is being used with another code.
    OtherCode,
}

/// A sign-in that takes itself out of those in the air when it is dropped.
pub(crate) struct Entry {
    sign_ins: SignIns,
    state: [u8; 32],
    pub(crate) done: watch::Sender<Option<Finished>>,
}

impl SignIns {
    pub(crate) fn join(&self, state: [u8; 32], code: &CodeDigest) -> Joined {
        let mut running = lock(&self.0);
        if let Some(same) = running.get(&state) {
            return if same.code == *code {
                Joined::Same(same.outcome.clone())
            } else {
                Joined::OtherCode
            };
        }
        let (done, outcome) = watch::channel(None);
        let in_the_air = InTheAir {
            code: code.clone(),
            outcome,
        };
        running.insert(state, in_the_air);
        Joined::First(Entry {
            sign_ins: self.clone(),
            state,
            done,
        })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.sign_ins.0).remove(&self.state);
    }
}
