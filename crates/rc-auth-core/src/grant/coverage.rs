//! Which inputs have met the machine in which state, counted over all machines of the process: a search that never
//! made two of them meet has not tried that pair.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{
    Gate, Input, LoadFailure, Reply, SaveFailure, Want,
    state::{Purpose, State},
};

const STATES: [&str; 21] = [
    "Unknown",
    "Loading(Look)",
    "Loading(Recheck)",
    "Loading(Poll)",
    "Loading(ConfirmClaim)",
    "Loading(ConfirmCommit)",
    "Loading(ConfirmEnd)",
    "StoreDown",
    "Settled",
    "NotingUse",
    "AtGate",
    "Claiming",
    "Sending",
    "Arrived",
    "Noting",
    "Committing",
    "Ending",
    "Observing",
    "Waiting",
    "Over",
    "Asleep",
];

/// What may come at any moment.
const ANYTIME: usize = 10;

const INPUTS: [&str; 22] = [
    "Want(Status)",
    "Want(Usable)",
    "Want(NewerThan)",
    "Want(Care)",
    "Refused",
    "Changed",
    "ChangedTo",
    "SignedIn",
    "SignedOut",
    "Timeout",
    "Loaded(record)",
    "Loaded(none)",
    "Loaded(unavailable)",
    "Loaded(unreadable)",
    "Saved",
    "Saved(conflict)",
    "Saved(unknown)",
    "Gate(open)",
    "Gate(closed)",
    "Answered",
    "Answered(not sent)",
    "Answered(maybe sent)",
];

static MET: [[AtomicU64; INPUTS.len()]; STATES.len()] =
    [const { [const { AtomicU64::new(0) }; INPUTS.len()] }; STATES.len()];

/// A state and an input, and how often they met.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Met {
    /// The state, and what is read in it.
    pub state: &'static str,
    /// The input, with what it says.
    pub input: &'static str,
    /// How often.
    pub times: u64,
}

/// All pairs that can meet: answers come only to what was asked, everything else at any moment. Left out is what no
/// driver makes meet:
///
/// - an answer that comes while a renewal is being saved: it is handed over after the save, and exploration tries it;
/// - the end of a timer in a state that only an answer leads to and an answer leads out of: whoever gives the answers
///   waits for no timer between the two.
#[must_use]
pub fn met() -> Vec<Met> {
    let mut all = Vec::new();
    for (row, state) in STATES.into_iter().enumerate() {
        for (column, input) in INPUTS.into_iter().enumerate() {
            let comes = column < ANYTIME && !(input == "Timeout" && is_between_answers(state));
            if state != "Arrived" && (comes || is_awaited(state, input)) {
                let times = MET[row][column].load(Ordering::Relaxed);
                all.push(Met {
                    state,
                    input,
                    times,
                });
            }
        }
    }
    all
}

fn is_between_answers(state: &str) -> bool {
    matches!(state, "Claiming" | "Noting" | "Committing")
}

/// Whether a state waits for this answer.
fn is_awaited(state: &str, input: &str) -> bool {
    let answer = input.split('(').next().unwrap_or_default();
    match state.split('(').next().unwrap_or_default() {
        "Loading" => answer == "Loaded",
        "NotingUse" | "Claiming" | "Noting" | "Committing" | "Ending" => answer == "Saved",
        "AtGate" => answer == "Gate",
        // It may be renewing its intent.
        "Sending" => answer == "Saved" || answer == "Answered",
        _ => false,
    }
}

pub(super) fn count(state: &State, input: &Input) {
    MET[row(state)][column(input)].fetch_add(1, Ordering::Relaxed);
}

const fn row(state: &State) -> usize {
    match state {
        State::Unknown => 0,
        State::Loading(Purpose::Look) => 1,
        State::Loading(Purpose::Recheck(_)) => 2,
        State::Loading(Purpose::Poll(_)) => 3,
        State::Loading(Purpose::ConfirmClaim(_)) => 4,
        State::Loading(Purpose::ConfirmCommit(_)) => 5,
        State::Loading(Purpose::ConfirmEnd(_)) => 6,
        State::StoreDown { .. } => 7,
        State::Settled(_) => 8,
        State::NotingUse(_) => 9,
        State::AtGate(_) => 10,
        State::Claiming(_) => 11,
        State::Sending(_) => 12,
        State::Arrived(..) => 13,
        State::Noting(_) => 14,
        State::Committing(_) => 15,
        State::Ending(_) => 16,
        State::Observing(_) => 17,
        State::Waiting(_) => 18,
        State::Over { .. } => 19,
        State::Asleep(_) => 20,
    }
}

fn column(input: &Input) -> usize {
    match input {
        Input::Want(Want::Status) => 0,
        Input::Want(Want::Usable) => 1,
        Input::Want(Want::NewerThan(_)) => 2,
        Input::Want(Want::Care) => 3,
        Input::Refused(_) => 4,
        Input::Changed => 5,
        Input::ChangedTo(_) => 6,
        Input::SignedIn => 7,
        Input::SignedOut(_) => 8,
        Input::Timeout => 9,
        Input::Loaded(Ok(loaded)) => 10 + usize::from(loaded.held.is_none()),
        Input::Loaded(Err(LoadFailure::Unavailable)) => 12,
        Input::Loaded(Err(LoadFailure::Unreadable)) => 13,
        Input::Saved(Ok(_)) => 14,
        Input::Saved(Err(SaveFailure::Conflict)) => 15,
        Input::Saved(Err(SaveFailure::OutcomeUnknown)) => 16,
        Input::Gate(Gate::Open(_)) => 17,
        Input::Gate(Gate::ClosedUntil(_)) => 18,
        Input::Answered(Reply::Response(_)) => 19,
        Input::Answered(Reply::NotSent) => 20,
        Input::Answered(Reply::MaybeSent) => 21,
    }
}
