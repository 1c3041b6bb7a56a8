//! What is known of a grant, and what of it is stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{About, AttemptId, ChainId, Generation, PairId, RecordVersion};
use crate::{Secret, Timestamp, TokenSet};

/// One access token and the refresh token that continues it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TokenPair(TokenSet);

impl TokenPair {
    /// The pair of a first answer.
    #[must_use]
    pub const fn new(tokens: TokenSet) -> Self {
        Self(tokens)
    }

    /// The pair after a refresh. What the answer leaves out is kept from `self`: the refresh token (RFC
    /// 6749 section 6) and its end, the scope (section 5.1), and who signed in.
    #[must_use]
    pub fn refreshed(&self, mut tokens: TokenSet) -> Self {
        let old = &self.0;
        if tokens.refresh_token.is_none() {
            tokens.refresh_token.clone_from(&old.refresh_token);
            tokens.refresh_expires_at = tokens.refresh_expires_at.or(old.refresh_expires_at);
        }
        if tokens.scope.is_empty() {
            tokens.scope.clone_from(&old.scope);
        }
        tokens.owner_id = tokens.owner_id.or_else(|| old.owner_id.clone());
        tokens.endpoint_id = tokens.endpoint_id.or_else(|| old.endpoint_id.clone());
        tokens.session_id = tokens.session_id.or_else(|| old.session_id.clone());
        tokens.session_expires_at = tokens.session_expires_at.or(old.session_expires_at);
        Self(tokens)
    }

    /// The access token.
    #[must_use]
    pub const fn access_token(&self) -> Option<&Secret> {
        self.0.access_token.as_ref()
    }

    /// When the access token ends.
    #[must_use]
    pub const fn access_expires_at(&self) -> Timestamp {
        self.0.access_expires_at
    }

    /// How long the access token lives.
    #[must_use]
    pub const fn access_lifetime(&self) -> Duration {
        Duration::from_millis(self.0.access_lifetime_ms)
    }

    /// The refresh token.
    #[must_use]
    pub const fn refresh_token(&self) -> Option<&Secret> {
        self.0.refresh_token.as_ref()
    }

    /// When the refresh token ends, if the server said so.
    #[must_use]
    pub const fn refresh_expires_at(&self) -> Option<Timestamp> {
        self.0.refresh_expires_at
    }

    /// The permissions granted, if the server said so.
    #[must_use]
    pub fn scope(&self) -> &[String] {
        &self.0.scope
    }

    /// The extension that signed in.
    #[must_use]
    pub fn owner_id(&self) -> Option<&str> {
        self.0.owner_id.as_deref()
    }

    /// When the OAuth session ends whatever is done.
    #[must_use]
    pub const fn session_expires_at(&self) -> Option<Timestamp> {
        self.0.session_expires_at
    }

    /// When nothing of the chain can be alive any more, if the server said so: the end of the refresh
    /// token, or of the access token where there is none.
    #[must_use]
    pub fn chain_ends_at(&self) -> Option<Timestamp> {
        if self.refresh_token().is_none() {
            return Some(self.access_expires_at());
        }
        self.refresh_expires_at()
            .map(|end| end.max(self.access_expires_at()))
    }

    /// The token to revoke the whole chain by: the refresh token, or else the access token.
    #[must_use]
    pub const fn revocable(&self) -> Option<&Secret> {
        match self.refresh_token() {
            Some(token) => Some(token),
            None => self.access_token(),
        }
    }
}

/// What is stored of a grant.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GrantRecord {
    /// Which sign-in this is.
    pub chain: ChainId,
    /// Which pair of it.
    pub generation: Generation,
    /// What is going on.
    pub state: RecordState,
    /// When it was made and used, and whose it is.
    #[serde(flatten)]
    pub about: About,
}

/// The state of a stored grant.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordState {
    /// The pair is good and nobody is refreshing it.
    Idle {
        /// The pair.
        pair: TokenPair,
        /// The attempt that wrote it; `None` for the pair of the sign-in.
        committed_by: Option<AttemptId>,
    },
    /// Somebody has said that they will present the refresh token, and has perhaps done so.
    Refreshing {
        /// The pair that is being replaced.
        pair: TokenPair,
        /// Who, and how often before.
        intent: Intent,
    },
    /// The user has signed out; the chain is still to be revoked.
    SignedOut {
        /// What to revoke.
        token: Option<Secret>,
        /// How often revoking it has failed; 255 stands for more.
        failures: u8,
        /// When the chain ends by itself, so that nothing is left to revoke. `None` in records of
        /// versions that did not write it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chain_ends_at: Option<Timestamp>,
        /// The refresh that was unfinished when the user left: its answer may hold a pair that nobody
        /// has seen, and that must be revoked instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unfinished: Option<Unfinished>,
        /// Why, if it was not the user who left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<EndReason>,
    },
    /// The grant is over, and why. Kept for a while, so that everybody learns it without asking.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// The intent of a refresh, written before the token is sent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Intent {
    /// Whose it is.
    pub attempt: AttemptId,
    /// How often the token may have been presented before this attempt without an answer.
    pub unanswered: u8,
    /// Whether this attempt is known to have left the token as it was: nothing was sent, or the server
    /// said no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
    /// When the token may have been presented first, by the wall clock of whoever did; `None` if it was
    /// not, or in records of versions that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_presented_at: Option<Timestamp>,
    /// How often its owner has written it again since, to show that it is at work.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub renewals: u32,
    /// The pause that its owner makes before the next try, after a 429 or an outage. Whoever watches adds
    /// it to the silence after which an owner counts as gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
}

/// A pause before the next try, as others see it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pause {
    /// How long it was when it was written, in milliseconds. Needs no clock to be agreed on.
    pub millis: u64,
    /// When it ends, by the wall clock of whoever wrote it: what is left of it after a restart.
    pub until: Timestamp,
}

impl Pause {
    /// How long it was when it was written.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// What is left of it at `wall`: never more than its length, whatever the clocks say.
    #[must_use]
    pub fn left(self, wall: Timestamp) -> Duration {
        self.until.saturating_since(wall).min(self.length())
    }
}

/// A refresh that was unfinished when its grant was signed out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Unfinished {
    /// The sign-in it belongs to.
    pub chain: ChainId,
    /// The pair that was being replaced.
    pub generation: Generation,
    /// When its refresh token may have been presented first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_presented_at: Option<Timestamp>,
}

const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Why a grant is over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// There is no grant under this key.
    Absent,
    /// The platform no longer takes the refresh token: expired, revoked, or ended by a newer sign-in.
    TokenDead,
    /// The user signed out.
    SignedOut,
    /// Nobody has used it for [`max_idle`](super::RefreshPolicy::max_idle).
    Idle,
    /// It is older than [`max_age`](super::RefreshPolicy::max_age).
    TooOld,
    /// The access token has ended and there is no refresh token: "Issue refresh tokens" is off in the
    /// app's settings in the developer console.
    NotRefreshable,
    /// The server does not repeat answers, and one was lost: whether the refresh token was exchanged
    /// cannot be known.
    Indeterminate,
}

impl EndReason {
    /// One sentence for the person who was signed in.
    ///
    /// ```
    /// assert_eq!(rc_auth_core::EndReason::SignedOut.explanation(), "The user signed out.");
    /// ```
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Absent => "Nobody is signed in under this key.",
            Self::TokenDead => {
                "The platform ended this sign-in: it expired, was revoked, or was replaced by a newer one."
            }
            Self::SignedOut => "The user signed out.",
            Self::Idle => "Nobody has used this sign-in for so long that it was ended.",
            Self::TooOld => "This sign-in has reached its greatest age and was ended.",
            Self::NotRefreshable => {
                "The access token has ended and the app gets no refresh tokens. Switch on \"Issue refresh \
                 tokens\" in the app's settings in RingCentral's developer console."
            }
            Self::Indeterminate => {
                "An answer of the platform was lost and cannot be asked for again, so the tokens are \
                 unknown."
            }
        }
    }
}

impl GrantRecord {
    /// The record of a fresh sign-in.
    #[must_use]
    pub fn signed_in(chain: ChainId, pair: TokenPair, now: Timestamp) -> Self {
        Self {
            chain,
            generation: Generation::FIRST,
            about: About::made_at(now),
            state: RecordState::Idle {
                pair,
                committed_by: None,
            },
        }
    }

    /// The record of a chain that belongs to nobody: what is left to do is to revoke it by `token`.
    #[must_use]
    pub fn orphan(chain: ChainId, token: Secret, chain_ends_at: Timestamp) -> Self {
        Self {
            chain,
            generation: Generation::FIRST,
            about: About::default(),
            state: RecordState::SignedOut {
                token: Some(token),
                failures: 0,
                chain_ends_at: Some(chain_ends_at),
                unfinished: None,
                reason: None,
            },
        }
    }

    /// The record after its user has left, or after it was ended for `reason`: what is left to do is to
    /// revoke the chain. `None` when there is nothing to revoke.
    #[must_use]
    pub fn signed_out(&self, reason: Option<EndReason>) -> Option<Self> {
        let (pair, unfinished) = match &self.state {
            RecordState::Idle { pair, .. } => (pair, None),
            RecordState::Refreshing { pair, intent } => {
                let unfinished = Unfinished {
                    chain: self.chain,
                    generation: self.generation,
                    first_presented_at: intent.first_presented_at,
                };
                (pair, Some(unfinished))
            }
            RecordState::SignedOut { .. } | RecordState::Ended { .. } => return None,
        };
        Some(Self {
            state: RecordState::SignedOut {
                token: Some(pair.revocable()?.clone()),
                failures: 0,
                chain_ends_at: pair.chain_ends_at(),
                unfinished,
                reason,
            },
            ..self.clone()
        })
    }

    /// The name of its pair.
    #[must_use]
    pub const fn id(&self) -> PairId {
        PairId {
            chain: self.chain,
            generation: self.generation,
        }
    }

    /// The pair, while there is one.
    #[must_use]
    pub const fn pair(&self) -> Option<&TokenPair> {
        match &self.state {
            RecordState::Idle { pair, .. } | RecordState::Refreshing { pair, .. } => Some(pair),
            RecordState::SignedOut { .. } | RecordState::Ended { .. } => None,
        }
    }

    /// The token to revoke the chain by, if it may still be alive.
    #[must_use]
    pub const fn revocable(&self) -> Option<&Secret> {
        match &self.state {
            RecordState::Idle { pair, .. } | RecordState::Refreshing { pair, .. } => {
                pair.revocable()
            }
            RecordState::SignedOut { token, .. } => token.as_ref(),
            RecordState::Ended { .. } => None,
        }
    }
}

/// A record and the version it was read or written with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// The record.
    pub record: GrantRecord,
    /// What a write has to expect.
    pub version: RecordVersion,
}
