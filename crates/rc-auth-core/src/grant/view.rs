//! What can be seen of a grant from outside.

use std::{fmt, time::Duration};

use super::{About, EndReason, PairId, TokenPair};
use crate::{Refusal, Verdict};

/// What a machine shows.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The newest pair that is known to be in the store. Nothing else is ever shown.
    pub pair: Option<(&'a TokenPair, PairId)>,
    /// The pair that was shown when the machine fell asleep: `pair` is not known until the record is read again.
    /// Whoever kept its access token may go on using it.
    pub lent: Option<PairId>,
    /// Whether a resource has refused the access token of either.
    pub refused: bool,
    /// What the record says besides the tokens: as it was last read or written.
    pub about: Option<&'a About>,
    /// What is going on.
    pub phase: Phase<'a>,
}

/// What a machine is doing.
#[derive(Clone, Copy, Debug)]
pub enum Phase<'a> {
    /// Nothing is known yet.
    Unknown,
    /// Nothing.
    Idle,
    /// The record is being read or written, or the platform asked.
    Busy,
    /// The next try is at this moment (monotonic).
    Waiting {
        /// When.
        until: Duration,
        /// What went wrong.
        trouble: &'a Trouble,
    },
    /// The grant is over.
    Over(EndReason),
}

/// Why a grant cannot be refreshed now. It is kept, and will be tried again.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Trouble {
    /// The platform could not be reached.
    Unreachable,
    /// The platform's answer did not come, or not whole.
    NoAnswer,
    /// The platform answered with something that is no token answer.
    Unreadable,
    /// The platform answered with an error that does not end a grant.
    Refused {
        /// The answer.
        refusal: Box<Refusal>,
        /// What it calls for.
        verdict: Verdict,
    },
    /// The rate limit of the token endpoint is used up.
    RateLimited,
    /// An earlier try failed, perhaps of another process, and the pause after it is not over.
    EarlierFailure,
    /// The API refuses access tokens that have just been issued, so more of them are not fetched at once.
    AccessTokenRefused,
    /// The store did not answer.
    Store,
    /// The record cannot be opened: a key is missing, or it was tampered with.
    Record,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("the platform cannot be reached"),
            Self::NoAnswer => f.write_str("the platform's answer did not come whole"),
            Self::Unreadable => f.write_str("the platform answered with something that is no token answer"),
            Self::Refused { refusal, verdict } => write!(f, "{refusal}. {}", verdict.advice()),
            Self::RateLimited => f.write_str("the rate limit for token requests is used up"),
            Self::EarlierFailure => {
                f.write_str("an earlier try failed, and the pause after it is not over")
            }
            Self::AccessTokenRefused => f.write_str(
                "the API refuses access tokens that have just been issued, so no more are fetched for a while",
            ),
            Self::Store => f.write_str("the token store does not answer"),
            Self::Record => f.write_str(
                "the stored record cannot be opened: is the key that sealed it still in the key ring?",
            ),
        }
    }
}
