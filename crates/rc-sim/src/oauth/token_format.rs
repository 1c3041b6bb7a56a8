//! The text of tokens: URL-safe base64 of a pod name and fields between pipes, as RingCentral's look.
//!
//! A token names its session and generation and is otherwise derived from the seed, so the platform stores
//! no token at all. Clients must treat it as opaque.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{seed::Seed, timestamp::Timestamp};

const POD: &str = "SIM01P01PAS00";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TokenKind {
    Access,
    Refresh,
}

impl TokenKind {
    fn letter(self) -> &'static str {
        match self {
            Self::Access => "A",
            Self::Refresh => "R",
        }
    }
}

/// What a token says about itself, unverified.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Claim {
    pub(crate) kind: TokenKind,
    pub(crate) namespace: String,
    pub(crate) session: u64,
    pub(crate) generation: u32,
}

/// What a token is made of.
pub(crate) struct Named<'a> {
    pub(crate) kind: TokenKind,
    /// Empty for the platform's own.
    pub(crate) namespace: &'a str,
    pub(crate) session: u64,
    pub(crate) generation: u32,
    /// A platform that was restarted with the same seed must not take a token of its former life for one of
    /// today's.
    pub(crate) started_at: Timestamp,
}

/// The bytes of a token before base64. Platform §3: real ones have hundreds of characters.
const LENGTH: usize = 420;

pub(crate) fn encode(seed: &Seed, named: &Named<'_>) -> String {
    let Named {
        kind,
        namespace,
        session,
        generation,
        started_at,
    } = named;
    let letter = kind.letter();
    let started_at = started_at.millis().to_be_bytes();
    let parts: [&[u8]; 5] = [
        letter.as_bytes(),
        namespace.as_bytes(),
        &session.to_be_bytes(),
        &generation.to_be_bytes(),
        &started_at,
    ];
    let secret = seed.bytes("token", &parts);
    let mut text = format!("{POD}|{letter}|{namespace}|{session}|{generation}|");
    text.reserve(LENGTH);
    URL_SAFE_NO_PAD.encode_string(secret, &mut text);
    let mut bytes = text.into_bytes();
    bytes.push(b'|');
    fill(&mut bytes, secret);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Makes `text` as long as a real token's. What is filled in follows from the secret part and adds nothing to
/// it, so a cheap generator (SplitMix64) will do.
fn fill(text: &mut Vec<u8>, secret: [u8; 32]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = secret.chunks_exact(8).fold(0_u64, |state, chunk| {
        chunk
            .iter()
            .fold(state, |state, byte| state.rotate_left(8) ^ u64::from(*byte))
    });
    while text.len() < LENGTH {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        for shift in (0..60).step_by(6).take(LENGTH - text.len()) {
            text.push(ALPHABET[(word >> shift & 63) as usize]);
        }
    }
}

/// `None` for anything that does not even look like a token of this platform.
pub(crate) fn decode(token: &str) -> Option<Claim> {
    // A token has `LENGTH` bytes; far longer ones are not worth decoding.
    let token = Some(token).filter(|token| token.len() < 4 * LENGTH)?;
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let mut fields = text.split('|');
    if fields.next() != Some(POD) {
        return None;
    }
    let kind = match fields.next()? {
        "A" => TokenKind::Access,
        "R" => TokenKind::Refresh,
        _ => return None,
    };
    let namespace = fields.next()?.to_owned();
    let session = fields.next()?.parse().ok()?;
    let generation = fields.next()?.parse().ok()?;
    let (_, _, end) = (fields.next()?, fields.next()?, fields.next());
    end.is_none().then_some(Claim {
        kind,
        namespace,
        session,
        generation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(kind: TokenKind, started_at: u64) -> Named<'static> {
        Named {
            kind,
            namespace: "tests",
            session: 7,
            generation: 3,
            started_at: Timestamp::from_millis(started_at),
        }
    }

    #[test]
    fn tokens_decode_to_what_they_name() {
        let token = encode(&Seed::new(1), &named(TokenKind::Refresh, 1_000));
        let claim = Claim {
            kind: TokenKind::Refresh,
            namespace: "tests".into(),
            session: 7,
            generation: 3,
        };
        assert_eq!(decode(&token), Some(claim));
    }

    #[test]
    fn tokens_are_as_long_as_real_ones_and_safe_in_urls() {
        let token = encode(&Seed::new(1), &named(TokenKind::Access, 1_000));
        assert_eq!(token.len(), 560);
        let safe = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        assert!(token.bytes().all(safe));
    }

    #[test]
    fn a_restarted_platform_issues_other_tokens() {
        let at = |millis| encode(&Seed::new(1), &named(TokenKind::Access, millis));
        assert_ne!(at(1_000), at(2_000));
    }

    #[test]
    fn rubbish_is_no_token() {
        for rubbish in [
            "",
            "undefined",
            "x",
            "U0lNMDF8QXwx",
            "a b",
            &"A".repeat(5_000),
        ] {
            assert_eq!(decode(rubbish), None, "{rubbish}");
        }
    }
}
