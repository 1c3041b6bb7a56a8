//! The life of a grant: one state machine, driven from outside. Its rules stand at [`GrantMachine`].

mod exchange;
mod machine;
mod output;
mod policy;
mod reading;
mod record;
mod state;
mod view;

pub use machine::{GrantMachine, UnexpectedInput};
pub use output::{Gate, Input, LoadFailure, Loaded, Output, Reply, Report, SaveFailure, Want};
pub use policy::{InvalidPolicy, RefreshPolicy, RefreshReplay};
pub use record::{
    AttemptId, ChainId, EndReason, Generation, GrantRecord, Held, Intent, RecordState,
    RecordVersion, TokenPair,
};
pub use view::{Phase, Trouble, View};
