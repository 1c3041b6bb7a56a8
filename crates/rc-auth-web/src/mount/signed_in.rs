//! Who sent a request.

use std::{ops::Deref, sync::Arc};

use super::{Problem, Visit};
use crate::Session;

/// Whoever sent the request is signed in: an extractor of actix and axum, which gives the [`Session`].
///
/// Where nobody is, the handler is not called, and the answer is that of [`Problem`]: browsers are sent to the
/// sign-in and come back to the same path, and everybody else gets 401. A session that was prolonged reaches the
/// browser with the answer.
#[derive(Clone, Debug)]
pub struct SignedIn(Arc<Session>);

/// Whoever sent the request, signed in or not: an extractor of actix and axum.
///
/// It fails where that is not known. `Option<SignedIn>` does the same in axum; in actix it takes a session
/// store that fails for nobody.
#[derive(Clone, Debug)]
pub struct MaybeSignedIn(pub Option<SignedIn>);

impl Deref for SignedIn {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl SignedIn {
    /// Of the request that the middleware let through, if it did.
    pub(crate) async fn of(visit: Option<&Visit>) -> Result<Self, Problem> {
        let MaybeSignedIn(somebody) = MaybeSignedIn::of(visit).await?;
        somebody.ok_or_else(Problem::not_signed_in)
    }
}

impl MaybeSignedIn {
    /// Of the request that the middleware let through, if it did.
    pub(crate) async fn of(visit: Option<&Visit>) -> Result<Self, Problem> {
        let visit = visit.ok_or_else(Problem::no_middleware)?;
        Ok(Self(visit.session().await?.map(SignedIn)))
    }
}
