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
    pub(crate) session: u64,
    pub(crate) generation: u32,
}

/// The start of the session is part of it: a platform that was restarted with the same seed must not take
/// a token of its former life for one of today's.
pub(crate) fn encode(
    seed: &Seed,
    kind: TokenKind,
    session: u64,
    generation: u32,
    started_at: Timestamp,
) -> String {
    let letter = kind.letter();
    let started_at = started_at.millis().to_be_bytes();
    let parts: [&[u8]; 4] = [
        letter.as_bytes(),
        &session.to_be_bytes(),
        &generation.to_be_bytes(),
        &started_at,
    ];
    let first = seed.text("token 1", &parts, 43);
    let second = seed.text("token 2", &parts, 43);
    URL_SAFE_NO_PAD.encode(format!(
        "{POD}|{letter}|{session}|{generation}|{first}|{second}"
    ))
}

/// `None` for anything that does not even look like a token of this platform.
pub(crate) fn decode(token: &str) -> Option<Claim> {
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
    let session = fields.next()?.parse().ok()?;
    let generation = fields.next()?.parse().ok()?;
    let (_, _, end) = (fields.next()?, fields.next()?, fields.next());
    end.is_none().then_some(Claim {
        kind,
        session,
        generation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_decode_to_what_they_name() {
        let token = encode(
            &Seed::new(1),
            TokenKind::Refresh,
            7,
            3,
            Timestamp::from_millis(1_000),
        );
        let claim = Claim {
            kind: TokenKind::Refresh,
            session: 7,
            generation: 3,
        };
        assert_eq!(decode(&token), Some(claim));
        assert!(
            token.len() > 120
                && token
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
    }

    #[test]
    fn a_restarted_platform_issues_other_tokens() {
        let at = |millis| {
            encode(
                &Seed::new(1),
                TokenKind::Access,
                1,
                0,
                Timestamp::from_millis(millis),
            )
        };
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
