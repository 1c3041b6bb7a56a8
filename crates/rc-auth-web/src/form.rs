//! Forms: small, and only from pages of the same browser session.
//!
//! Forms of other sites do not come this far; see [`WebAuth::check_request`](crate::WebAuth::check_request).

use std::{borrow::Cow, fmt};

use http::{HeaderMap, header::CONTENT_TYPE};
use url::form_urlencoded;

/// The name of the field that carries a [`FormToken`].
pub const FORM_TOKEN_FIELD: &str = "form_token";

/// The most bytes of a form that an application should read before it asks whose it is: 4 KiB; a form with
/// nothing but the token has 40.
pub const MAX_FORM: usize = 4096;

/// The secret that a session's forms carry, in the field [`FORM_TOKEN_FIELD`]. Another site can make a
/// browser post a form, but cannot know this.
pub struct FormToken(pub(crate) String);

impl FormToken {
    /// For a form on a page of its own session, and nothing else.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FormToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormToken(…)")
    }
}

/// The form is not one of this session's pages. Show the page anew and let its user press the button again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the form does not come from a page of this session; open the page again and repeat")]
pub struct ForeignForm;

/// The form token in a body that was read, of the type `application/x-www-form-urlencoded`.
///
/// ```
/// use rc_auth_web::form_token_of;
///
/// assert_eq!(form_token_of(b"name=Ada&form_token=abc").as_deref(), Some("abc"));
/// assert_eq!(form_token_of(b"name=Ada"), None);
/// ```
#[must_use]
pub fn form_token_of(body: &[u8]) -> Option<Cow<'_, str>> {
    form_urlencoded::parse(body)
        .find(|(name, _)| name == FORM_TOKEN_FIELD)
        .map(|(_, token)| token)
}

/// Whether the headers say that the body is a form. Other types may be sent by scripts of other sites only
/// after a question that is never answered yes.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|media_type| {
        media_type
            .as_bytes()
            .starts_with(b"application/x-www-form-urlencoded")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_other_fields() {
        assert_eq!(form_token_of(b"a=b&form_token=x%2Dy&c=d").unwrap(), "x-y");
        assert_eq!(form_token_of(b"a=form_token"), None);
        assert_eq!(form_token_of(b"\xff\x00"), None);
    }
}
