//! The cookies of this crate: their names and attributes, and how a request's are read.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue, header::COOKIE};
use rc_auth::store::{KeyRing, SealError};
use zeroize::Zeroizing;

/// The longest cookie value that is looked at, in bytes; browsers keep no more than 4096.
pub(crate) const MAX_VALUE: usize = 4096;

/// The full names of this application's cookies, made once, and the attributes they get.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    secure: bool,
    session: String,
    pending_prefix: String,
}

impl Cookies {
    /// `secure`: browsers reach this application over https. The prefix `__Host-` then keeps other hosts of
    /// the same domain and plain-http pages from planting a cookie of that name.
    pub(crate) fn new(prefix: &str, secure: bool) -> Self {
        let host = if secure { "__Host-" } else { "" };
        Self {
            secure,
            session: format!("{host}{prefix}_session"),
            pending_prefix: format!("{host}{prefix}_sign_in_"),
        }
    }

    /// The name of the session's cookie.
    pub(crate) fn session_name(&self) -> &str {
        &self.session
    }

    /// What the names of all unfinished sign-ins begin with.
    pub(crate) fn pending_prefix(&self) -> &str {
        &self.pending_prefix
    }

    /// A `Set-Cookie` value that lives for `max_age`; `None` if `value` cannot stand in a cookie
    /// (RFC 6265 section 4.1.1) or is longer than browsers keep.
    pub(crate) fn set(&self, name: &str, value: &str, max_age: Duration) -> Option<HeaderValue> {
        let fits = value.len() <= MAX_VALUE && value.bytes().all(is_cookie_octet);
        if !fits {
            return None;
        }
        let seconds = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
        let mut cookie = Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(cookie::time::Duration::seconds(seconds));
        // `SameSite=Lax` without `Secure` is what plain http on this machine can have.
        if self.secure {
            cookie = cookie.secure(true);
        }
        HeaderValue::try_from(cookie.build().to_string()).ok()
    }

    /// A `Set-Cookie` value that removes the cookie; `None` for a name that no browser got from here.
    pub(crate) fn remove(&self, name: &str) -> Option<HeaderValue> {
        self.set(name, "", Duration::ZERO)
    }
}

const fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'+' | b'-'..=b':' | b'<'..=b'[' | b']'..=b'~')
}

/// Seals `plaintext` into the value of a cookie.
///
/// # Errors
///
/// If the system has no randomness.
pub(crate) fn seal(
    ring: &KeyRing,
    context: &[&[u8]],
    plaintext: &[u8],
) -> Result<String, SealError> {
    Ok(URL_SAFE_NO_PAD.encode(ring.seal(context, plaintext)?))
}

/// Opens what [`seal`] made for the same context; `None` for anything else.
pub(crate) fn open(ring: &KeyRing, context: &[&[u8]], value: &str) -> Option<Zeroizing<Vec<u8>>> {
    if value.len() > MAX_VALUE {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
    ring.open(context, &sealed).ok()
}

/// All cookies of a request as name and value, first header first, nothing decoded.
///
/// By hand: a parser of all cookies would build what a session look-up, which stops at one, throws away.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| pair.trim_matches([' ', '\t']).split_once('='))
}

/// The value of the cookie called `name`.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookies(headers)
        .find(|(other, _)| *other == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_for_its_context_and_ring_only() {
        let ring = KeyRing::generate("test").unwrap();
        let value = seal(&ring, &[b"session", b"a"], b"text").unwrap();
        let open = |context: &[&[u8]], value: &str| open(&ring, context, value);
        assert_eq!(*open(&[b"session", b"a"], &value).unwrap(), b"text");
        assert!(open(&[b"session", b"b"], &value).is_none());
        assert!(open(&[b"pending", b"a"], &value).is_none());
        assert!(open(&[b"session", b"a"], &value[1..]).is_none());
        assert!(open(&[b"session", b"a"], "").is_none());
        let other = KeyRing::generate("test").unwrap();
        assert!(super::open(&other, &[b"session", b"a"], &value).is_none());
    }

    #[test]
    fn cookies_on_https_are_secure_and_bound_to_the_host() {
        let on = |secure| Cookies::new("rc", secure);
        assert_eq!(on(true).session_name(), "__Host-rc_session");
        assert_eq!(on(true).pending_prefix(), "__Host-rc_sign_in_");
        let set = on(true).set("__Host-rc_session", "v", Duration::from_secs(60));
        assert_eq!(
            set.unwrap(),
            "__Host-rc_session=v; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"
        );
        assert_eq!(
            on(false).remove("rc_session").unwrap(),
            "rc_session=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"
        );
    }

    #[test]
    fn a_value_that_would_add_attributes_is_no_cookie() {
        let cookies = Cookies::new("rc", true);
        for value in [
            "a; Domain=example.com",
            "a b",
            "a\"b",
            "a,b",
            "a\\b",
            "é",
            "a\r\nb",
        ] {
            let set = cookies.set("rc_session", value, Duration::from_secs(60));
            assert_eq!(set, None, "{value:?}");
        }
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            COOKIE,
            HeaderValue::from_static("a=1; rc_session=x=y;b; c="),
        );
        headers.append(COOKIE, HeaderValue::from_static("d=4"));
        assert_eq!(cookie(&headers, "rc_session"), Some("x=y"));
        assert_eq!(cookie(&headers, "d"), Some("4"));
        assert_eq!(cookie(&headers, "b"), None);
    }
}
