//! What is known of a session, as bytes, and when it is over.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rc_auth::{Environment, GrantKey, NoRandomness, Timestamp};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::FormToken;

const FORMAT: u8 = 2;
const SECRET_LEN: usize = 16;
const HEAD: usize = 1 + 8 + 8 + SECRET_LEN;

/// How far the clocks of two processes that share a key may be apart: 5 minutes, more than any clock that
/// is kept by a time server.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// At most so often is a session prolonged, however short its idle time-out.
const LEAST_REISSUE: Duration = Duration::from_secs(60);

/// One sign-in of one browser.
pub(crate) struct SessionRecord {
    grant: GrantKey,
    /// When its user signed in.
    pub(crate) issued_at: Timestamp,
    /// When it was last prolonged.
    seen_at: Timestamp,
    form_secret: Zeroizing<[u8; SECRET_LEN]>,
}

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord")
            .field("grant", &self.grant)
            .field("issued_at", &self.issued_at)
            .field("seen_at", &self.seen_at)
            .finish_non_exhaustive()
    }
}

/// How long sessions last. Checked here against the times in the record, not left to the browser.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionTimes {
    /// Without a request.
    pub(crate) idle: Duration,
    /// However active it is.
    pub(crate) lifetime: Duration,
}

impl SessionTimes {
    /// The end of `session` if no request follows.
    pub(crate) fn end_of(self, session: &SessionRecord) -> Timestamp {
        let idle = session.seen_at.saturating_add(self.idle);
        idle.min(session.issued_at.saturating_add(self.lifetime))
    }

    pub(crate) fn is_over(self, session: &SessionRecord, now: Timestamp) -> bool {
        now >= self.end_of(session)
    }

    /// Whether it is time to prolong: after a twentieth of the idle time, at least a minute, so that few
    /// answers carry a cookie; and only if that moves the end.
    pub(crate) fn is_due(self, session: &SessionRecord, now: Timestamp) -> bool {
        let pause = (self.idle / 20).max(LEAST_REISSUE).min(self.idle / 2);
        let due = now.saturating_since(session.seen_at) >= pause;
        let prolonged = session.issued_at.saturating_add(self.lifetime) > self.end_of(session);
        due && prolonged
    }
}

impl SessionRecord {
    /// A new one for `grant`, with a form secret of its own.
    pub(crate) fn start(
        grant: GrantKey,
        now: Timestamp,
        environment: &dyn Environment,
    ) -> Result<Self, NoRandomness> {
        let mut form_secret = Zeroizing::new([0; SECRET_LEN]);
        environment.fill(&mut *form_secret)?;
        Ok(Self {
            grant,
            issued_at: now,
            seen_at: now,
            form_secret,
        })
    }

    pub(crate) const fn grant(&self) -> &GrantKey {
        &self.grant
    }

    /// The same session, prolonged.
    pub(crate) const fn see(&mut self, now: Timestamp) {
        self.seen_at = now;
    }

    pub(crate) fn form_token(&self) -> FormToken {
        FormToken(URL_SAFE_NO_PAD.encode(*self.form_secret))
    }

    pub(crate) fn owns_form(&self, token: &str) -> bool {
        let own = self.form_token();
        own.as_str().as_bytes().ct_eq(token.as_bytes()).into()
    }

    /// Such a session would outlive its lifetime by as much.
    pub(crate) fn is_from_the_future(&self, now: Timestamp) -> bool {
        let latest = self.issued_at.max(self.seen_at);
        latest.saturating_since(now) > CLOCK_SKEW
    }

    /// Wiped when dropped, and never moved while it grows.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let grant = self.grant.as_str().as_bytes();
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD + grant.len()));
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.issued_at.unix_millis().to_be_bytes());
        bytes.extend_from_slice(&self.seen_at.unix_millis().to_be_bytes());
        bytes.extend_from_slice(&*self.form_secret);
        bytes.extend_from_slice(grant);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[format], rest) = bytes.split_first_chunk()?;
        let (issued_at, rest) = rest.split_first_chunk()?;
        let (seen_at, rest) = rest.split_first_chunk()?;
        let (form_secret, grant) = rest.split_first_chunk()?;
        let grant = std::str::from_utf8(grant)
            .ok()
            .filter(|grant| !grant.is_empty())?;
        let moment = |bytes: &[u8; 8]| Timestamp::from_unix_millis(i64::from_be_bytes(*bytes));
        (format == FORMAT).then(|| Self {
            grant: GrantKey::new(grant),
            issued_at: moment(issued_at),
            seen_at: moment(seen_at),
            form_secret: Zeroizing::new(*form_secret),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const TIMES: SessionTimes = SessionTimes {
        idle: HOUR,
        lifetime: Duration::from_secs(3 * 3600),
    };

    fn started() -> SessionRecord {
        let mut form_secret = Zeroizing::new([0; SECRET_LEN]);
        getrandom::fill(&mut *form_secret).unwrap();
        SessionRecord {
            grant: GrantKey::new("user-42"),
            issued_at: at(0),
            seen_at: at(0),
            form_secret,
        }
    }

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000 + seconds * 1000)
    }

    #[test]
    fn a_session_comes_back_from_its_bytes() {
        let session = started();
        let back = SessionRecord::from_bytes(&session.to_bytes()).unwrap();
        assert_eq!(back.grant().as_str(), "user-42");
        assert_eq!((back.issued_at, back.seen_at), (at(0), at(0)));
        assert!(back.owns_form(session.form_token().as_str()));
        assert!(!back.owns_form(""));
        assert!(!back.owns_form(started().form_token().as_str()));
    }

    #[test]
    fn a_session_ends_when_idle_and_after_its_lifetime() {
        let mut session = started();
        assert!(!TIMES.is_over(&session, at(3599)));
        assert!(TIMES.is_over(&session, at(3600)));
        session.see(at(3 * 3600 - 1));
        assert!(!TIMES.is_over(&session, at(3 * 3600 - 1)));
        assert!(TIMES.is_over(&session, at(3 * 3600)));
    }

    #[test]
    fn a_session_is_prolonged_after_a_twentieth_of_the_idle_time() {
        let mut session = started();
        assert!(!TIMES.is_due(&session, at(179)));
        assert!(TIMES.is_due(&session, at(180)));
        session.see(at(2 * 3600));
        assert!(
            !TIMES.is_due(&session, at(2 * 3600 + 600)),
            "its end is fixed"
        );
        let short = SessionTimes {
            idle: Duration::from_secs(300),
            ..TIMES
        };
        let session = started();
        assert!(!short.is_due(&session, at(59)));
        assert!(short.is_due(&session, at(60)));
    }

    #[test]
    fn a_session_from_the_future_is_known_beyond_what_clocks_differ() {
        let mut session = started();
        assert!(!session.is_from_the_future(at(-300)));
        assert!(session.is_from_the_future(at(-301)));
        assert!(session.is_from_the_future(Timestamp::from_unix_millis(i64::MIN)));
        session.see(at(500));
        assert!(session.is_from_the_future(at(199)));
    }

    #[test]
    fn debug_output_holds_no_form_secret() {
        let session = started();
        let printed = format!("{session:?} {:?}", session.form_token());
        assert!(
            !printed.contains(session.form_token().as_str()),
            "{printed}"
        );
        assert!(!printed.contains("form_secret"), "{printed}");
        assert!(!printed.contains("user-42"), "{printed}");
    }

    #[test]
    fn unknown_formats_and_short_texts_are_no_session() {
        let bytes = started().to_bytes();
        assert!(SessionRecord::from_bytes(&bytes).is_some());
        let head = 0..=HEAD;
        assert!(
            head.into_iter()
                .all(|cut| SessionRecord::from_bytes(&bytes[..cut]).is_none())
        );
        assert!(SessionRecord::from_bytes(&[&[1], &bytes[1..]].concat()).is_none());
    }

    #[test]
    fn bytes_are_written_into_the_room_that_was_taken_for_them() {
        let bytes = started().to_bytes();
        assert_eq!(bytes.capacity(), bytes.len());
    }
}
