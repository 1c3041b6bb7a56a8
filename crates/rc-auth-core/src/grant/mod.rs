//! The life of a grant: one state machine, driven from outside.
//!
//! [`GrantMachine::handle_input`] takes what happened, [`GrantMachine::poll_output`] gives what to do,
//! [`GrantMachine::next_timeout`] says when to call again although nothing happened. After every input,
//! outputs are to be taken until there are none: *drain after input*.
//!
//! The machine keeps these rules, whatever order inputs come in:
//!
//! 1. *Saved before used.* A pair is shown by [`GrantMachine::view`] only once it is in the store.
//! 2. *Intent before send.* A token request is put out only after the intent was saved and while its
//!    lease is fresh. Versions decide who may write, never clocks.
//! 3. *Losers only read.* After a conflict the record is read and adopted. A pair that cannot be saved
//!    because the grant was signed out or replaced is revoked.
//! 4. *A 401 names its generation.* One that names an older generation than the record's costs nothing.
//! 5. *Dead only by code.* Nothing but [`Refusal::ends_grant`](crate::Refusal::ends_grant) ends a grant
//!    on a server that repeats its answers.
//! 6. *Sign-out is final.* No input brings back a record that says it is signed out.
//! 7. *One refresh in flight.* There is one outstanding request at most.
//! 8. *The old refresh token stays* when an answer omits a new one.

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
