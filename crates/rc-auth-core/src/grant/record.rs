//! What is known of a grant, and what of it is stored.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Secret, Timestamp, TokenSet};

/// Counts the token pairs of a grant. Every access token, and every 401, belongs to one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// The pair of the sign-in itself.
    pub const FIRST: Self = Self(1);

    /// A generation by its number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A random name of one try at a refresh: by it a process recognises its own writes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AttemptId(#[serde(with = "hex16")] [u8; 16]);

impl AttemptId {
    /// An id from 16 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// A random name of one chain of token pairs: what one sign-in started.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ChainId(#[serde(with = "hex16")] [u8; 16]);

impl ChainId {
    /// An id from 16 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// The store's compare-and-swap tag of a record, as the machine carries it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecordVersion([u8; 16]);

impl RecordVersion {
    /// A version from the store's bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

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
        /// How often revoking it has failed.
        failures: u8,
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
    /// The access token has ended and there is no refresh token: "Issue refresh tokens" is off in the
    /// app's settings in the developer console.
    NotRefreshable,
    /// The server does not repeat answers, and one was lost: whether the refresh token was exchanged
    /// cannot be known.
    Indeterminate,
}

impl EndReason {
    /// One sentence for the person who was signed in.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Absent => "Nobody is signed in under this key.",
            Self::TokenDead => {
                "The platform ended this sign-in: it expired, was revoked, or was replaced by a newer one."
            }
            Self::SignedOut => "The user signed out.",
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
    pub const fn signed_in(chain: ChainId, pair: TokenPair) -> Self {
        Self {
            chain,
            generation: Generation::FIRST,
            state: RecordState::Idle {
                pair,
                committed_by: None,
            },
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

/// 16 bytes as 32 lower-case hexadecimal digits.
mod hex16 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 16], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{:032x}", u128::from_be_bytes(*bytes)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 16], D::Error> {
        let text = String::deserialize(from)?;
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits
            .then(|| u128::from_str_radix(&text, 16).ok())
            .flatten();
        number
            .map(u128::to_be_bytes)
            .ok_or_else(|| de::Error::custom("an id has 32 hexadecimal digits"))
    }
}
