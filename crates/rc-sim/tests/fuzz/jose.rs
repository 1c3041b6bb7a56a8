//! Tokens signed as an input asks for, so that what is wrong with them is not always the signature.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};

/// Keys that are committed for tests.
const PLATFORM: [&[u8]; 4] = [
    include_bytes!("../../test-keys/test-rsa-2048-1.der"),
    include_bytes!("../../test-keys/test-rsa-2048-2.der"),
    include_bytes!("../../test-keys/test-rsa-2048-3.der"),
    include_bytes!("../../test-keys/test-rsa-2048-4.der"),
];

/// Everything that signs.
pub(crate) struct Signers {
    client: RsaKeyPair,
    platform: RsaKeyPair,
    client_secret: String,
}

fn key_pair(der: &[u8]) -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(der).expect("a key pair")
}

fn rs256(key: &RsaKeyPair, input: &str) -> String {
    let mut signature = vec![0; key.public().modulus_len()];
    let random = SystemRandom::new();
    key.sign(&RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature)
        .expect("a signature");
    URL_SAFE_NO_PAD.encode(signature)
}

impl Signers {
    /// `genuine` is a token that the platform signed: whichever key signs the same is the platform's.
    pub(crate) fn new(client_secret: &str, genuine: &str) -> Self {
        let (input, signature) = genuine.rsplit_once('.').expect("a signature");
        let mut keys = PLATFORM.iter().map(|der| key_pair(der));
        let platform = keys.find(|key| rs256(key, input) == signature);
        Self {
            client: key_pair(rc_sim::Config::test_client_key()),
            platform: platform.expect("a key of the pool"),
            client_secret: client_secret.to_owned(),
        }
    }

    /// `key` is `secret`, `client`, `platform`, `none`, or the text of a secret.
    pub(crate) fn sign(&self, header: &[u8], claims: &[u8], key: &[u8]) -> String {
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        let input = format!("{}.{}", encode(header), encode(claims));
        let hs256 = |secret: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            encode(hmac::sign(&key, input.as_bytes()).as_ref())
        };
        let signature = match key {
            b"secret" => hs256(self.client_secret.as_bytes()),
            b"client" => rs256(&self.client, &input),
            b"platform" => rs256(&self.platform, &input),
            b"none" => String::new(),
            other => hs256(other),
        };
        format!("{input}.{signature}")
    }
}
