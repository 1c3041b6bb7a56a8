//! Extractors and errors, as axum has them.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use crate::{MaybeSignedIn, Problem, SignedIn, mount::Visit};

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::of(parts.extensions.get::<Visit>()).await
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Problem> {
        let MaybeSignedIn(somebody) = MaybeSignedIn::of(parts.extensions.get::<Visit>()).await?;
        Ok(somebody)
    }
}

impl<S: Sync> FromRequestParts<S> for MaybeSignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::of(parts.extensions.get::<Visit>()).await
    }
}

/// The answer to a program. The middleware, which knows the request, makes of it what a browser needs.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.json().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
