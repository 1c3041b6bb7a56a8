//! The browser session: a cookie that leads to a grant.

mod memory;
mod record;
mod sealed;
mod store;

use std::fmt;

use http::{HeaderMap, HeaderValue};
use rc_auth::{Grant, Timestamp};

pub use memory::MemorySessions;
pub(crate) use record::{SessionRecord, SessionTimes};
pub use sealed::SealedCookies;
pub use store::{SessionStore, SessionStoreError};

use crate::{ForeignForm, FormToken, form, form_token_of};

/// Who this browser is signed in as.
///
/// That there is a session says that a sign-in was finished in this browser. Whether its grant still stands
/// shows when it is used: a copy of the cookie is worth nothing after a sign-out.
pub struct Session {
    pub(crate) grant: Grant,
    pub(crate) record: SessionRecord,
    /// What the store calls it.
    pub(crate) value: String,
    pub(crate) reissue: Option<HeaderValue>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("grant", &self.grant)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The grant, to call the API with.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// When its user signed in.
    #[must_use]
    pub const fn signed_in_at(&self) -> Timestamp {
        self.record.issued_at
    }

    /// The value that this session's forms carry.
    #[must_use]
    pub fn form_token(&self) -> FormToken {
        self.record.form_token()
    }

    /// Whether `token` came from a form of this session; takes the same time for every wrong one.
    #[must_use]
    pub fn owns_form(&self, token: &str) -> bool {
        self.record.owns_form(token)
    }

    /// Checks a form that was read: that it is one, and that it carries this session's token.
    ///
    /// # Errors
    ///
    /// [`ForeignForm`]: do nothing of what it asks for, and answer 403.
    pub fn check_form(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), ForeignForm> {
        let token = form_token_of(body).filter(|_| form::is_form(headers));
        match token {
            Some(token) if self.owns_form(&token) => Ok(()),
            Some(_) | None => Err(ForeignForm),
        }
    }

    /// The `Set-Cookie` value to add to the answer, if the session was prolonged by this request. Leaving it
    /// out is harmless: the next request prolongs it.
    #[must_use]
    pub const fn reissue(&self) -> Option<&HeaderValue> {
        self.reissue.as_ref()
    }
}
