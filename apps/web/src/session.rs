//! The browser session: a sealed cookie that names a grant.
//!
//! It holds a grant key, the time it was issued and the secret behind this session's forms. Nothing is
//! kept on the server for it. Signing out ends the grant, so a copied cookie is worth nothing afterwards.

use std::{fmt, time::Duration};

use actix_web::http::header::HeaderMap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rc_auth::{GrantKey, Timestamp, store::SealError};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::cookies::{Cookies, cookie};

const NAME: &str = "rc_web_session";
const PURPOSE: &str = "rc-web browser session";
const FORMAT: u8 = 1;
const HEAD: usize = 1 + 8 + CSRF_LEN;
const CSRF_LEN: usize = 16;

/// How far the clocks of two processes that share a key may be apart: 5 minutes, more than any clock that
/// is kept by a time server.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// The secret that this session's forms carry. Another site can make a browser post a form, but cannot
/// know this.
#[derive(Default)]
pub(crate) struct FormToken(String);

impl FormToken {
    /// For a form on a page of its own session, and nothing else.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FormToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormToken(…)")
    }
}

/// Who this browser is signed in as.
pub(crate) struct BrowserSession {
    grant: GrantKey,
    issued_at: Timestamp,
    form_secret: [u8; CSRF_LEN],
}

impl fmt::Debug for BrowserSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrowserSession")
            .field("grant", &self.grant)
            .field("issued_at", &self.issued_at)
            .finish_non_exhaustive()
    }
}

impl BrowserSession {
    /// However active it is, a browser signs in again after this long: 30 days. Checked here against the
    /// sealed time of issue, not left to the browser.
    pub(crate) const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// A new session for `grant`, with a form secret of its own.
    ///
    /// # Errors
    ///
    /// If the system has no randomness.
    pub(crate) fn start(grant: GrantKey, now: Timestamp) -> Result<Self, getrandom::Error> {
        let mut form_secret = [0; CSRF_LEN];
        getrandom::fill(&mut form_secret)?;
        Ok(Self {
            grant,
            issued_at: now,
            form_secret,
        })
    }

    /// The session in the request's cookie, if it is ours and young enough.
    pub(crate) fn of(headers: &HeaderMap, cookies: &Cookies, now: Timestamp) -> Option<Self> {
        Self::to_be_replaced(headers, cookies, now).filter(|session| !session.is_over(now))
    }

    /// The session in the request's cookie, even if its lifetime is over: it still names a grant, which may
    /// be ended and nothing else. One from the future is none.
    pub(crate) fn to_be_replaced(
        headers: &HeaderMap,
        cookies: &Cookies,
        now: Timestamp,
    ) -> Option<Self> {
        let name = cookies.full_name(NAME);
        let opened = cookies.open(PURPOSE, &name, cookie(headers, &name)?)?;
        Self::from_bytes(&opened).filter(|session| !session.is_from_the_future(now))
    }

    /// The grant it names.
    pub(crate) fn grant(&self) -> &GrantKey {
        &self.grant
    }

    /// The value that this session's forms carry.
    pub(crate) fn form_token(&self) -> FormToken {
        FormToken(URL_SAFE_NO_PAD.encode(self.form_secret))
    }

    /// Whether `token` came from a form of this session; takes the same time for every wrong one.
    pub(crate) fn owns_form(&self, token: &str) -> bool {
        self.form_token()
            .as_str()
            .as_bytes()
            .ct_eq(token.as_bytes())
            .into()
    }

    /// The `Set-Cookie` value that makes it this browser's session.
    ///
    /// # Errors
    ///
    /// If the system has no randomness.
    pub(crate) fn set_cookie(&self, cookies: &Cookies) -> Result<String, SealError> {
        let name = cookies.full_name(NAME);
        let value = cookies.seal(PURPOSE, &name, &self.to_bytes())?;
        Ok(cookies.set(&name, &value, Self::LIFETIME))
    }

    /// The `Set-Cookie` value that ends whatever session this browser has.
    pub(crate) fn remove_cookie(cookies: &Cookies) -> String {
        cookies.remove(&cookies.full_name(NAME))
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now.saturating_since(self.issued_at) >= Self::LIFETIME
    }

    /// Such a session would outlive its lifetime by as much.
    fn is_from_the_future(&self, now: Timestamp) -> bool {
        self.issued_at.saturating_since(now) > CLOCK_SKEW
    }

    /// Wiped when dropped, and never moved while it grows.
    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let grant = self.grant.as_str().as_bytes();
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD + grant.len()));
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.issued_at.unix_millis().to_be_bytes());
        bytes.extend_from_slice(&self.form_secret);
        bytes.extend_from_slice(grant);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[format], rest) = bytes.split_first_chunk()?;
        let (issued_at, rest) = rest.split_first_chunk()?;
        let (form_secret, grant) = rest.split_first_chunk()?;
        let grant = std::str::from_utf8(grant)
            .ok()
            .filter(|grant| !grant.is_empty())?;
        (format == FORMAT).then(|| Self {
            grant: GrantKey::new(grant),
            issued_at: Timestamp::from_unix_millis(i64::from_be_bytes(*issued_at)),
            form_secret: *form_secret,
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{COOKIE, HeaderValue};
    use rc_auth::store::KeyRing;

    use super::*;

    const ISSUED: Timestamp = Timestamp::from_unix_millis(1_000);

    fn request_with(set_cookie: &str) -> HeaderMap {
        let pair = set_cookie.split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_str(pair).unwrap());
        headers
    }

    #[test]
    fn a_session_comes_back_from_its_cookie() {
        let cookies = Cookies::new(KeyRing::generate("test").unwrap(), false);
        let session = BrowserSession::start(GrantKey::new("user-42"), ISSUED).unwrap();
        let headers = request_with(&session.set_cookie(&cookies).unwrap());
        let back = BrowserSession::of(&headers, &cookies, ISSUED).unwrap();
        assert_eq!(back.grant().as_str(), "user-42");
        assert!(back.owns_form(session.form_token().as_str()));
        assert!(!back.owns_form(""));
        assert!(
            !back.owns_form(
                BrowserSession::start(GrantKey::new("user-42"), ISSUED)
                    .unwrap()
                    .form_token()
                    .as_str()
            )
        );
    }

    #[test]
    fn a_session_ends_after_its_lifetime_whatever_the_browser_says() {
        let cookies = Cookies::new(KeyRing::generate("test").unwrap(), false);
        let session = BrowserSession::start(GrantKey::new("user-42"), ISSUED).unwrap();
        let headers = request_with(&session.set_cookie(&cookies).unwrap());
        let end = 1_000 + i64::try_from(BrowserSession::LIFETIME.as_millis()).unwrap();
        let at =
            |millis| BrowserSession::of(&headers, &cookies, Timestamp::from_unix_millis(millis));
        assert!(at(end - 1).is_some());
        assert!(at(end).is_none());
        let over = Timestamp::from_unix_millis(end);
        let named = BrowserSession::to_be_replaced(&headers, &cookies, over);
        assert!(named.is_some(), "its grant may still be ended");
    }

    #[test]
    fn a_session_from_the_future_is_none_beyond_what_clocks_differ() {
        let cookies = Cookies::new(KeyRing::generate("test").unwrap(), false);
        let session = BrowserSession::start(GrantKey::new("user-42"), ISSUED).unwrap();
        let headers = request_with(&session.set_cookie(&cookies).unwrap());
        let at =
            |millis| BrowserSession::of(&headers, &cookies, Timestamp::from_unix_millis(millis));
        assert!(at(1_000 - 5 * 60_000).is_some());
        assert!(at(1_000 - 5 * 60_000 - 1).is_none());
        assert!(at(i64::MIN).is_none());
        let early = Timestamp::from_unix_millis(1_000 - 5 * 60_000 - 1);
        assert!(BrowserSession::to_be_replaced(&headers, &cookies, early).is_none());
    }

    #[test]
    fn debug_output_holds_no_form_secret() {
        let session = BrowserSession::start(GrantKey::new("user-42"), ISSUED).unwrap();
        let printed = format!("{session:?} {:?}", session.form_token());
        let token = session.form_token();
        assert!(!printed.contains(token.as_str()), "{printed}");
        assert!(!printed.contains("form_secret"), "{printed}");
        assert!(!printed.contains("user-42"), "{printed}");
    }

    #[test]
    fn unknown_formats_and_short_texts_are_no_session() {
        let bytes = BrowserSession::start(GrantKey::new("g"), ISSUED)
            .unwrap()
            .to_bytes();
        assert!(BrowserSession::from_bytes(&bytes).is_some());
        assert!((0..bytes.len()).all(|cut| BrowserSession::from_bytes(&bytes[..cut]).is_none()));
        assert!(BrowserSession::from_bytes(&[&[2], &bytes[1..]].concat()).is_none());
    }
}
