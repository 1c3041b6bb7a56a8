//! What happens to grants, for whoever listens.

use rc_auth_core::{EndReason, Generation, Trouble};

/// Something that happened to a grant in this process. Names the grant by the digest of its key; holds
/// no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The record of the grant, as in the store.
    pub record: rc_store::RecordKey,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A user signed in.
    SignedIn,
    /// A new pair is saved, by this process.
    Refreshed {
        /// Its generation.
        generation: Generation,
        /// How many tries failed before.
        failures: u32,
    },
    /// A pair that another process saved is used.
    Adopted {
        /// Its generation.
        generation: Generation,
    },
    /// A refresh that another process left unfinished is taken over.
    TakenOver,
    /// A try failed. The grant is kept and it will be tried again.
    Delayed {
        /// Why.
        trouble: Trouble,
    },
    /// The grant is over.
    Ended {
        /// Why.
        reason: EndReason,
    },
    /// The user signed out. `revoked` says whether the platform has confirmed it already.
    SignedOut {
        /// Whether the chain is revoked at the platform.
        revoked: bool,
    },
}
