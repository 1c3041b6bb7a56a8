//! The life of a grant: one state machine, driven from outside. Its rules stand at [`GrantMachine`].

mod about;
mod asleep;
#[cfg(feature = "fingerprint")]
mod coverage;
#[cfg(feature = "fingerprint")]
mod fingerprint;
mod ids;
mod machine;
mod output;
mod policy;
mod reconcile;
mod record;
mod refreshing;
mod settle;
mod state;
mod view;
mod visible;

pub use about::{About, Person, UnknownMembers};
pub use asleep::Asleep;
#[cfg(feature = "fingerprint")]
pub use coverage::{Met, met};
#[cfg(feature = "fingerprint")]
pub use fingerprint::Lens;
pub use ids::{AttemptId, ChainId, Generation, PairId, RecordVersion};
pub use machine::{GrantMachine, KnownVersion, UnexpectedInput};
pub use output::{
    Gate, Input, LoadFailure, Loaded, Output, Reply, Report, SaveFailure, Urgency, Want,
};
pub use policy::{InvalidPolicy, RefreshPolicy, RefreshReplay};
pub use record::{EndReason, GrantRecord, Held, Intent, Pause, RecordState, TokenPair, Unfinished};
pub use view::{Phase, Trouble, View};
