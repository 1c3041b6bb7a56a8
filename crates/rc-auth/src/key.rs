//! The names of grants, and of the records that keep them.

use std::{
    fmt,
    hash::{BuildHasher, Hasher},
};

use rc_auth_core::{OAuthApp, Secret};
use rc_store::RecordKey;

use crate::environment::{Environment, NoRandomness};

/// Names one grant.
///
/// By default a random 128-bit id made at sign-in, which the caller keeps (the demo keeps it in a sealed
/// cookie). An application may give its own, its user id say: then a second sign-in under the same key
/// replaces the first. Always scoped to server and client id.
///
/// ```no_run
/// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
/// use rc_auth::GrantKey;
///
/// // What an application keeps with its user, and what leads back to the grant.
/// let kept = grant.key().as_str().to_owned();
/// let again = client.grant(&GrantKey::new(kept));
/// assert_eq!(again.key(), grant.key());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct GrantKey(String);

impl GrantKey {
    /// The application's own name for a grant.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub(crate) fn random(environment: &dyn Environment) -> Result<Self, NoRandomness> {
        let mut bytes = [0; 16];
        environment.fill(&mut bytes)?;
        Ok(Self(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the grant is kept: a digest, so that no user id stands in an index.
    pub(crate) fn record_key(&self, app: &OAuthApp) -> RecordKey {
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
pub(crate) fn state_record_key(app: &OAuthApp, state_digest: &[u8; 32]) -> RecordKey {
    RecordKey::derive(&[
        b"rc-auth state 1",
        app.server().as_bytes(),
        app.client_id().as_bytes(),
        state_digest,
    ])
}

/// Where it is written that the platform must still be told of the end of a chain that no grant's record
/// names any more. `token` is the token it is revoked by.
pub(crate) fn revocation_record_key(app: &OAuthApp, token: &Secret) -> RecordKey {
    RecordKey::derive(&[
        b"rc-auth revocation 1",
        app.server().as_bytes(),
        app.client_id().as_bytes(),
        token.expose().as_bytes(),
    ])
}

/// Where it is written where an owner is signed in: a digest, so that no owner's id stands in an index.
pub(crate) fn owner_record_key(app: &OAuthApp, owner_id: &str) -> RecordKey {
    RecordKey::derive(&[
        b"rc-auth owner 1",
        app.server().as_bytes(),
        app.client_id().as_bytes(),
        owner_id.as_bytes(),
    ])
}

/// Where the mark stands by which a key ring that cannot open the store is noticed.
pub(crate) fn mark_record_key() -> RecordKey {
    RecordKey::derive(&[b"rc-auth mark 1"])
}

/// Hashes record keys, which are digests already, by eight of their bytes and a seed.
#[derive(Clone, Debug)]
pub(crate) struct KeyHashers {
    seed: u64,
}

impl KeyHashers {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }
}

impl BuildHasher for KeyHashers {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(self.seed)
    }
}

pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            let mixed = (self.0 ^ u64::from_le_bytes(*first)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.0 = mixed ^ (mixed >> 29);
        }
    }

    // The length of the array, the same for every key.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_told_apart_whatever_the_seed() {
        let keys: Vec<RecordKey> = (0..64_u8).map(|n| RecordKey::derive(&[&[n]])).collect();
        for seed in [0, 1, u64::MAX] {
            let hashers = KeyHashers::new(seed);
            let hashes = keys.iter().map(|key| hashers.hash_one(key));
            assert_eq!(hashes.collect::<BTreeSet<u64>>().len(), keys.len());
        }
    }
}
