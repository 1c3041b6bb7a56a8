//! What goes into the machine and what comes out of it.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Request, Response};

use super::{EndReason, Generation, GrantRecord, Held, PairId, RecordVersion, Trouble};
use crate::{Entropy, Secret, Timestamp};

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// Somebody wants something of the grant.
    Want(Want),
    /// A resource answered that it does not take the access token of this pair.
    Refused(PairId),
    /// Somebody wrote another record in place of the one held, as the store tells.
    Changed,
    /// This process has written another sign-in in place of the record held.
    SignedIn,
    /// The store tells that the record has this version now; none: that it is gone. Costs nothing if that
    /// is known already.
    ChangedTo(Option<RecordVersion>),
    /// This process has written that the grant is signed out, as this version.
    SignedOut(RecordVersion),
    /// The answer to [`Output::Load`].
    Loaded(Result<Loaded, LoadFailure>),
    /// The answer to [`Output::Save`].
    Saved(Result<RecordVersion, SaveFailure>),
    /// The answer to [`Output::AskGate`].
    Gate(Gate),
    /// The answer to [`Output::Send`].
    Answered(Reply),
    /// [`next_timeout`](super::GrantMachine::next_timeout) has come. Early ones are harmless.
    Timeout,
}

/// What somebody wants of a grant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Want {
    /// To know what is stored.
    Status,
    /// An access token that can be used.
    Usable,
    /// A pair newer than this one, whether it is still good or not.
    NewerThan(PairId),
    /// Whatever is due: an unfinished refresh, or one that keeps an idle grant alive.
    Care,
}

/// What a load found.
#[derive(Debug)]
pub struct Loaded {
    /// The record, if there is one.
    pub held: Option<Box<Held>>,
    /// For how long the caller has seen this very version stand, if an intent of somebody else is in it.
    /// Zero if it was not seen before; [`Duration::MAX`] if its owner is known to exist no longer.
    pub silent_for: Duration,
}

/// Why a record could not be read. Either way it is tried again: the cause may go away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoadFailure {
    /// The store did not answer.
    Unavailable,
    /// The record is there and cannot be opened or understood.
    Unreadable,
}

/// Why a record was not written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SaveFailure {
    /// The record is another one: nothing was written.
    Conflict,
    /// The store did not answer: it may have been written.
    OutcomeUnknown,
}

/// What the rate gate says.
#[derive(Debug)]
pub enum Gate {
    /// The token request may be sent. The entropy names the attempt.
    Open(Entropy<16>),
    /// Not before this moment (monotonic).
    ClosedUntil(Duration),
}

/// What came of a token request. `Debug` leaves out the answer, which holds tokens.
#[derive(Clone)]
pub enum Reply {
    /// A whole answer.
    Response(Response<Bytes>),
    /// Not one byte of the request left.
    NotSent,
    /// No whole answer came, but the request may have been carried out.
    MaybeSent,
}

/// Something to do. `Debug` leaves out requests, which hold tokens.
#[derive(Clone)]
#[must_use = "an output that is not carried out stops the grant for ever"]
pub enum Output {
    /// Read the record, and answer with [`Input::Loaded`].
    Load,
    /// Write the record, and answer with [`Input::Saved`].
    Save {
        /// What to write.
        record: Box<GrantRecord>,
        /// When somebody should look at it next.
        due: Timestamp,
        /// What has to be there.
        expect: RecordVersion,
    },
    /// Ask the rate gate for one token request, and answer with [`Input::Gate`].
    AskGate {
        /// How much depends on it.
        urgency: Urgency,
    },
    /// Send a token request, and answer with [`Input::Answered`].
    Send {
        /// The request.
        request: Box<Request<Bytes>>,
        /// How long it may take as a whole.
        timeout: Duration,
    },
    /// Revoke the chain of this token. There is no answer.
    Revoke {
        /// A token of a chain that nobody will ever use.
        token: Secret,
    },
    /// Tell whoever listens. There is no answer.
    Report(Report),
}

/// How much depends on a token request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Urgency {
    /// The access token still lives, and callers notice nothing.
    Background,
    /// Callers wait for it.
    Needed,
    /// The server soon stops repeating an answer that was lost: no limit may hold the request back.
    LastChance,
}

/// Something worth telling.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Report {
    /// A new pair is saved, by this process.
    Refreshed {
        /// Its generation.
        generation: Generation,
        /// How many tries failed before.
        failures: u32,
    },
    /// Somebody else's new pair was found.
    Adopted {
        /// Its generation.
        generation: Generation,
    },
    /// Somebody else's unfinished refresh is taken over.
    TakenOver,
    /// Another writer came first.
    Conflict,
    /// A try failed; the grant is kept and it will be tried again.
    Delayed {
        /// Why.
        trouble: Trouble,
    },
    /// The grant is over.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(response) => {
                write!(f, "Response(status {})", response.status().as_u16())
            }
            Self::NotSent => f.write_str("NotSent"),
            Self::MaybeSent => f.write_str("MaybeSent"),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load => f.write_str("Load"),
            Self::Save {
                record,
                due,
                expect,
            } => f
                .debug_struct("Save")
                .field("record", record)
                .field("due", due)
                .field("expect", expect)
                .finish(),
            Self::AskGate { urgency } => write!(f, "AskGate({urgency:?})"),
            Self::Send { timeout, .. } => write!(f, "Send(within {timeout:?})"),
            Self::Revoke { .. } => f.write_str("Revoke"),
            Self::Report(report) => f.debug_tuple("Report").field(report).finish(),
        }
    }
}
