//! A sign-in that has not come back yet, as a value.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{CallbackError, CodeExchange, callback};
use crate::{Now, OAuthApp, Secret, Timestamp, digest};

/// What has to be remembered between sending a browser to sign in and its return.
///
/// Holds the state and the code verifier: keep it where only the browser that started can present it,
/// and sealed. [`to_bytes`](Self::to_bytes) makes it fit a short-lived encrypted cookie, one per
/// attempt, so that no table of unfinished sign-ins exists that could be flooded, two tabs do not
/// disturb each other, and any replica can finish.
///
/// ```
/// use std::time::Duration;
///
/// use rc_auth_core::{AuthorizationRequest, Entropy, Now, OAuthApp, PendingAuthorization, Timestamp};
///
/// let app = OAuthApp::new("example-client", None, "https://app.example.com/cb", OAuthApp::DEFAULT_SERVER)?;
/// let now = Now { wall: Timestamp::from_unix_millis(1_800_000_000_000), mono: Duration::ZERO };
/// let (_, pending) = AuthorizationRequest::new(&app).start(&Entropy::new([7; 64]), now);
///
/// // Sealed into a cookie, and back.
/// let bytes = pending.to_bytes();
/// let again = PendingAuthorization::from_bytes(&bytes)?;
/// assert!(again.name() == pending.name() && !again.is_expired(now.wall));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PendingAuthorization {
    pub(super) state: Secret,
    pub(super) verifier: Secret,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) issuer: String,
    pub(super) iss_required: bool,
    pub(super) started_at: Timestamp,
}

/// The stored form. Fields are only ever added, as options, under a new version: version 2 is written
/// where `iss` is required, so that a build that does not know the requirement refuses the value instead
/// of finishing without the check.
#[derive(Deserialize, Serialize)]
struct StoredPending {
    v: u8,
    state: Secret,
    verifier: Secret,
    client_id: String,
    redirect_uri: String,
    issuer: String,
    started_at: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    iss_required: bool,
}

/// Bytes that are no pending authorization of this version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("these bytes hold no pending sign-in that this version can read; start the sign-in again")]
pub struct InvalidPending;

/// A public name of one sign-in attempt: the first 64 bits of the SHA-256 of its state, in hex.
///
/// Says nothing about the state, and finds the right cookie for a callback among several.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct AttemptName(String);

impl AttemptName {
    pub(super) fn of_state(state: &str) -> Self {
        Self(digest::sha256_hex(state.as_bytes())[..16].to_owned())
    }

    /// 16 lower-case hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AttemptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PendingAuthorization {
    /// How long a sign-in may take: 10 minutes. Long enough to find a phone for a second factor, short
    /// enough that a forgotten tab is worth nothing.
    pub const LIFETIME: Duration = Duration::from_secs(10 * 60);

    pub(super) fn new(
        app: &OAuthApp,
        state: Secret,
        verifier: Secret,
        started_at: Timestamp,
    ) -> Self {
        Self {
            state,
            verifier,
            client_id: app.client_id().to_owned(),
            redirect_uri: app.redirect_uri().to_owned(),
            issuer: app.issuer().to_owned(),
            iss_required: app.iss_required(),
            started_at,
        }
    }

    /// When the sign-in began.
    #[must_use]
    pub const fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Whether [`LIFETIME`](Self::LIFETIME) is over. A start that lies in the future (a clock that was
    /// set back) by more than a minute counts as over too.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.started_at.saturating_add(Self::LIFETIME)
            || self.started_at.saturating_since(now) > Duration::from_secs(60)
    }

    /// The public name of this attempt.
    #[must_use]
    pub fn name(&self) -> AttemptName {
        AttemptName::of_state(self.state.expose())
    }

    /// A digest that names this attempt in a store, where "this state is used" is written.
    #[must_use]
    pub fn state_digest(&self) -> [u8; 32] {
        digest::sha256(self.state.expose().as_bytes())
    }

    /// The value as bytes, with a version in them. Secret: seal them. Wiped when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let stored = StoredPending {
            v: version(self.iss_required),
            state: self.state.clone(),
            verifier: self.verifier.clone(),
            client_id: self.client_id.clone(),
            redirect_uri: self.redirect_uri.clone(),
            issuer: self.issuer.clone(),
            started_at: self.started_at,
            iss_required: self.iss_required,
        };
        // Large enough for what is in it, so that no copy is left behind by growing: each text is written with
        // two quotes, and nothing in these is escaped but backslashes of odd addresses.
        let texts = [&self.client_id, &self.redirect_uri, &self.issuer];
        let length: usize = texts.iter().map(|text| 2 * text.len()).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(length + 512));
        serde_json::to_writer(&mut *bytes, &stored).expect("strings and a number always serialize");
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// [`InvalidPending`] when the bytes are of another version or no such value.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidPending> {
        let stored: StoredPending = serde_json::from_slice(bytes).map_err(|_| InvalidPending)?;
        let is_random = |text: &Secret| is_verifier(text.expose());
        if stored.v != version(stored.iss_required)
            || !is_random(&stored.verifier)
            || !is_random(&stored.state)
        {
            return Err(InvalidPending);
        }
        Ok(Self {
            state: stored.state,
            verifier: stored.verifier,
            client_id: stored.client_id,
            redirect_uri: stored.redirect_uri,
            issuer: stored.issuer,
            started_at: stored.started_at,
            iss_required: stored.iss_required,
        })
    }

    /// Checks the raw query of a callback, and gives the exchange of its code.
    ///
    /// Checked in this order: size and form, state, age, issuer, an error of the platform, the code.
    /// Nothing of a callback is believed before its state is right.
    ///
    /// # Errors
    ///
    /// [`CallbackError`] says which check failed. The sign-in that this value stands for may still come
    /// back: a failed check is no reason to forget the stored bytes.
    pub fn finish(self, query: &str, now: Now) -> Result<CodeExchange, CallbackError> {
        let code = callback::check(&self, query, now)?;
        Ok(CodeExchange::new(self, code))
    }
}

const fn version(iss_required: bool) -> u8 {
    if iss_required { 2 } else { 1 }
}

/// RFC 7636 section 4.1: 43 to 128 unreserved characters. States are made the same way, so that an empty
/// one, which every callback without a value would match, is never read back.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}
