//! The platform's own keys: a few committed test keys that take turns.

use std::sync::OnceLock;

use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    jwk::{Jwk, JwkSet},
    jwt::{self, Header, JwtRefusal, Unverified, VerifyingKey},
};
use crate::seed::Seed;

/// Public, and trusted by nobody; `test-keys/README.md` says more.
static POOL: [TestKey; 4] = [
    TestKey::new(include_bytes!("../../test-keys/test-rsa-2048-1.der")),
    TestKey::new(include_bytes!("../../test-keys/test-rsa-2048-2.der")),
    TestKey::new(include_bytes!("../../test-keys/test-rsa-2048-3.der")),
    TestKey::new(include_bytes!("../../test-keys/test-rsa-2048-4.der")),
];

/// A key that is read when it is first used: reading checks its primes, which a start has no time for.
struct TestKey {
    der: &'static [u8],
    pair: OnceLock<RsaKeyPair>,
}

impl TestKey {
    const fn new(der: &'static [u8]) -> Self {
        Self {
            der,
            pair: OnceLock::new(),
        }
    }

    fn pair(&self) -> &RsaKeyPair {
        self.pair.get_or_init(|| {
            RsaKeyPair::from_pkcs8(self.der).expect("a committed test key is an RSA key in PKCS#8")
        })
    }

    fn jwk(&self, kid: String) -> Jwk {
        let public: PublicKeyComponents<Vec<u8>> = self.pair().public().into();
        Jwk::rs256(kid, &public.n, &public.e)
    }

    /// RS256. The bytes follow from key and message alone: this padding (RFC 8017 section 8.2) has nothing
    /// random in it, and whatever ring may draw to blind the computation cancels out. So the platform stays
    /// a function of its inputs.
    fn sign(&self, header: &Header, claims: &impl Serialize) -> String {
        let input = jwt::signing_input(header, claims)
            .expect("the platform's claims have text for keys and can be written");
        let mut signature = vec![0; self.pair().public().modulus_len()];
        self.pair()
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                input.as_bytes(),
                &mut signature,
            )
            .expect("a buffer of the key's length takes the signature");
        jwt::with_signature(input, &signature)
    }
}

/// What the platform signs with. One key of the pool, chosen by the seed, signs personal JWTs for good; the
/// other three take turns at everything else, a new key id each time.
#[derive(Clone)]
pub(crate) struct SigningKeys {
    seed: Seed,
    rotations: u32,
}

impl SigningKeys {
    /// Keys before their first rotation. Reads no key.
    pub(crate) fn new(seed: &Seed) -> Self {
        Self {
            seed: seed.clone(),
            rotations: 0,
        }
    }

    /// The keys as they are after so many rotations.
    pub(crate) fn set_rotations(&mut self, rotations: u32) {
        self.rotations = rotations;
    }

    pub(crate) fn rotations(&self) -> u32 {
        self.rotations
    }

    /// Signs with the next key from now on. The present one is still published, the one before it no more.
    pub(crate) fn rotate(&mut self) {
        self.rotations = self.rotations.saturating_add(1);
    }

    /// A JWT with `claims`, RS256.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> String {
        let header = Header::rs256(self.kid(self.rotations));
        self.key(self.rotations).sign(&header, claims)
    }

    /// Platform §1: the key set. The current key, then the one before it. Assumed: how long a key that has
    /// been replaced is published.
    pub(crate) fn jwks(&self) -> JwkSet {
        let keys = self.published().map(|rotation| self.jwk(rotation));
        JwkSet {
            keys: keys.collect(),
        }
    }

    /// The claims of a token that a published key signed.
    #[cfg(test)]
    pub(crate) fn verify<T: DeserializeOwned>(&self, token: &str) -> Result<T, JwtRefusal> {
        let token = Unverified::parse(token)?;
        let kid = token.header.kid.as_deref();
        let rotation = self
            .published()
            .find(|rotation| kid == Some(&*self.kid(*rotation)));
        verify_with(&token, rotation.map(|rotation| self.jwk(rotation)))
    }

    /// A personal JWT. It outlives every rotation, as it is valid for decades.
    pub(crate) fn sign_personal(&self, claims: &impl Serialize) -> String {
        let header = Header::rs256(self.personal_kid());
        self.personal_key().sign(&header, claims)
    }

    /// The claims of a personal JWT that [`sign_personal`](Self::sign_personal) made.
    pub(crate) fn verify_personal<T: DeserializeOwned>(
        &self,
        token: &str,
    ) -> Result<T, JwtRefusal> {
        let token = Unverified::parse(token)?;
        let kid = self.personal_kid();
        let known = token.header.kid.as_deref() == Some(&*kid);
        verify_with(&token, known.then(|| self.personal_key().jwk(kid)))
    }

    fn published(&self) -> impl Iterator<Item = u32> {
        std::iter::once(self.rotations).chain(self.rotations.checked_sub(1))
    }

    fn jwk(&self, rotation: u32) -> Jwk {
        self.key(rotation).jwk(self.kid(rotation))
    }

    fn kid(&self, rotation: u32) -> String {
        self.seed.text("key id", &[&rotation.to_be_bytes()], 22)
    }

    fn personal_kid(&self) -> String {
        self.seed.text("personal key id", &[], 22)
    }

    fn start(&self) -> usize {
        usize::from(self.seed.bytes("signing keys", &[])[0]) % POOL.len()
    }

    fn personal_key(&self) -> &'static TestKey {
        &POOL[self.start()]
    }

    fn key(&self, rotation: u32) -> &'static TestKey {
        let turn = rotation as usize % (POOL.len() - 1);
        &POOL[(self.start() + 1 + turn) % POOL.len()]
    }
}

/// The algorithm comes first: a token of another kind is named as such, whatever key it asks for.
fn verify_with<T: DeserializeOwned>(
    token: &Unverified<'_>,
    jwk: Option<Jwk>,
) -> Result<T, JwtRefusal> {
    match jwk {
        Some(jwk) => token.verify(VerifyingKey::Public(&jwk)),
        None if token.header.alg != "RS256" => Err(JwtRefusal::Algorithm),
        None => Err(JwtRefusal::UnknownKey),
    }
}

#[cfg(test)]
mod tests;
