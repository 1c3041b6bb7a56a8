//! Sealed cookies: what a browser carries for this application, unreadable and unchangeable to it.

use std::time::Duration;

use actix_web::http::header::{COOKIE, HeaderMap};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rc_auth::store::{KeyRing, SealError};
use zeroize::Zeroizing;

/// The longest cookie value that is looked at; browsers keep no more than 4096 bytes.
const MAX_VALUE: usize = 4096;

/// Seals and opens cookies, and knows which attributes they have.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    ring: KeyRing,
    secure: bool,
}

impl Cookies {
    /// `secure`: browsers reach this application over https.
    pub(crate) fn new(ring: KeyRing, secure: bool) -> Self {
        Self { ring, secure }
    }

    /// `name` as browsers know it. On https the prefix `__Host-` keeps other hosts of the same domain and
    /// plain-http pages from planting a cookie of that name.
    pub(crate) fn full_name(&self, name: &str) -> String {
        if self.secure {
            format!("__Host-{name}")
        } else {
            name.to_owned()
        }
    }

    /// Seals `plaintext` for the cookie called `name` (in full).
    ///
    /// # Errors
    ///
    /// If the system has no randomness.
    pub(crate) fn seal(
        &self,
        purpose: &str,
        name: &str,
        plaintext: &[u8],
    ) -> Result<String, SealError> {
        let sealed = self
            .ring
            .seal(&[purpose.as_bytes(), name.as_bytes()], plaintext)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens what [`seal`](Self::seal) made for the same purpose and name; `None` for anything else.
    pub(crate) fn open(
        &self,
        purpose: &str,
        name: &str,
        value: &str,
    ) -> Option<Zeroizing<Vec<u8>>> {
        if value.len() > MAX_VALUE {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        self.ring
            .open(&[purpose.as_bytes(), name.as_bytes()], &sealed)
            .ok()
    }

    /// A `Set-Cookie` value that lives for `max_age`.
    pub(crate) fn set(&self, name: &str, value: &str, max_age: Duration) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let max_age = max_age.as_secs();
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}")
    }

    /// A `Set-Cookie` value that removes the cookie.
    pub(crate) fn remove(&self, name: &str) -> String {
        self.set(name, "", Duration::ZERO)
    }
}

/// All cookies of a request as name and value, first header first, nothing decoded.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers
        .get_all(COOKIE)
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
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn on(secure: bool) -> Cookies {
        Cookies::new(KeyRing::generate("test").unwrap(), secure)
    }

    #[test]
    fn a_sealed_value_opens_for_its_purpose_and_name_only() {
        let cookies = on(false);
        let value = cookies.seal("session", "a", b"text").unwrap();
        assert_eq!(*cookies.open("session", "a", &value).unwrap(), b"text");
        assert!(cookies.open("session", "b", &value).is_none());
        assert!(cookies.open("pending", "a", &value).is_none());
        assert!(
            on(false).open("session", "a", &value).is_none(),
            "another key ring"
        );
        assert!(cookies.open("session", "a", &value[1..]).is_none());
        assert!(cookies.open("session", "a", "").is_none());
    }

    #[test]
    fn cookies_on_https_are_secure_and_bound_to_the_host() {
        let name = on(true).full_name("rc_web");
        assert_eq!(name, "__Host-rc_web");
        assert_eq!(
            on(true).set(&name, "v", Duration::from_secs(60)),
            "__Host-rc_web=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure"
        );
        assert_eq!(
            on(false).remove("rc_web"),
            "rc_web=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; rc_web=x=y;b; c="));
        headers.append(COOKIE, HeaderValue::from_static("d=4"));
        assert_eq!(cookie(&headers, "rc_web"), Some("x=y"));
        assert_eq!(cookie(&headers, "d"), Some("4"));
        assert_eq!(cookie(&headers, "b"), None);
    }
}
