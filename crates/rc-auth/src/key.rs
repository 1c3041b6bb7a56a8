//! The names of grants, and of the records that keep them.

use std::fmt;

use rc_auth_core::App;
use rc_store::RecordKey;

use crate::entropy;

/// Names one grant.
///
/// By default a random 128-bit id made at sign-in, which the caller keeps (the demo keeps it in a sealed
/// cookie). An application may give its own, its user id say: then a second sign-in under the same key
/// replaces the first. Always scoped to server and client id.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct GrantKey(String);

impl GrantKey {
    /// The application's own name for a grant.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        Ok(Self(format!(
            "{:032x}",
            u128::from_be_bytes(entropy::draw()?)
        )))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the grant is kept: a digest, so that no user id stands in an index.
    pub(crate) fn record_key(&self, app: &App) -> RecordKey {
        RecordKey::derive(&[
            b"rc-auth grant 1",
            app.server().as_bytes(),
            app.client_id().as_bytes(),
            self.0.as_bytes(),
        ])
    }
}

impl fmt::Debug for GrantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GrantKey(…)")
    }
}

/// Where it is written that a sign-in's state is used.
pub(crate) fn state_record_key(app: &App, state_digest: &[u8; 32]) -> RecordKey {
    RecordKey::derive(&[
        b"rc-auth state 1",
        app.server().as_bytes(),
        app.client_id().as_bytes(),
        state_digest,
    ])
}
