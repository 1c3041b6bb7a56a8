//! An access token that is saved, ready to be sent.

use http::HeaderValue;
use rc_auth_core::{Owner, PairId, Secret, Timestamp};

use super::server::Server;

/// An access token that is saved, ready to be sent.
#[derive(Debug)]
pub(crate) struct UsableToken {
    /// `Bearer …`, marked sensitive.
    pub(crate) header: HeaderValue,
    pub(crate) pair: PairId,
    /// Where it may be sent.
    pub(crate) server: &'static Server,
    /// Whose calls the platform counts together.
    pub(crate) owner: Owner,
    /// From when on a use has more to do than to send it: a refresh in the background, or a note that the
    /// grant is in use.
    pub(crate) quiet_until: Timestamp,
    pub(crate) mandatory_at: Timestamp,
}

impl UsableToken {
    /// Whether it is of a newer pair than this one, if there is one.
    pub(crate) fn is_newer_than(&self, pair: Option<PairId>) -> bool {
        pair.is_none_or(|pair| self.pair.is_newer_than(pair))
    }

    /// The access token in clear, to look for in texts that must not hold it.
    pub(crate) fn token(&self) -> &str {
        // The header was made of a string.
        self.header
            .to_str()
            .unwrap_or_default()
            .trim_start_matches("Bearer ")
    }

    /// Whether it is this token of this pair.
    pub(super) fn is(&self, pair: PairId, token: &Secret) -> bool {
        self.pair == pair
            && self.header.as_bytes().strip_prefix(b"Bearer ") == Some(token.expose().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use rc_auth_core::{ChainId, Generation};

    use super::*;

    fn pair(chain: u8) -> PairId {
        PairId {
            chain: ChainId::new([chain; 16]),
            generation: Generation::FIRST,
        }
    }

    #[test]
    fn it_is_known_again_by_its_pair_and_its_text() {
        let usable = UsableToken {
            header: HeaderValue::from_static("Bearer example-access"),
            pair: pair(1),
            server: Server::at("https://platform.example.com").unwrap(),
            owner: Owner::new([0; 32]),
            quiet_until: Timestamp::from_unix_millis(0),
            mandatory_at: Timestamp::from_unix_millis(0),
        };
        let token = Secret::new("example-access");
        assert!(usable.is(pair(1), &token));
        assert!(!usable.is(pair(2), &token));
        assert!(!usable.is(pair(1), &Secret::new("example-other")));
        assert_eq!(usable.token(), "example-access");
    }
}
