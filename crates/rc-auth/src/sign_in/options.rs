//! What an application may say of a sign-in when it comes back.

use std::fmt;

use crate::key::GrantKey;

/// Under which key a sign-in is kept, and what it is called where its owner's sign-ins are listed: for
/// [`Client::finish_sign_in_with`](crate::Client::finish_sign_in_with). `Debug` leaves the label out.
///
/// ```no_run
/// # async fn example(client: rc_auth::Client, grant: rc_auth::Grant) -> Result<(), Box<dyn std::error::Error>> {
/// use rc_auth::SignInOptions;
///
/// # let (pending, query) = (client.begin_sign_in()?.pending, "code=…&state=…");
/// let options = SignInOptions::new().label("Firefox on Linux");
/// let grant = client.finish_sign_in_with(pending, query, options).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct SignInOptions {
    pub(crate) key: Option<GrantKey>,
    pub(crate) label: Option<String>,
}

impl SignInOptions {
    /// A fresh random key, and no label.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            key: None,
            label: None,
        }
    }

    /// Keeps the grant under this key. A grant that is there already is replaced, and its chain revoked.
    /// Default: a fresh random key, so that each sign-in stands beside the others.
    #[must_use]
    pub fn key(mut self, key: GrantKey) -> Self {
        self.key = Some(key);
        self
    }

    /// What to call the browser or the device where the owner's sign-ins are listed, "Firefox on Linux" say.
    /// Cut after 100 characters. Kept as it is: it needs escaping wherever it is shown. Default: none.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
}

impl fmt::Debug for SignInOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInOptions")
            .field("key", &self.key)
            .field("has_label", &self.label.is_some())
            .finish()
    }
}
