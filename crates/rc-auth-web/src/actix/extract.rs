//! Extractors and errors, as actix has them.

use std::pin::Pin;

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest, HttpResponse, ResponseError, dev::Payload,
    http::StatusCode,
};

use super::convert::page;
use crate::{MaybeSignedIn, Problem, SignedIn, mount::Visit};

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

impl FromRequest for SignedIn {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        let visit = request.extensions().get::<Visit>().cloned();
        Box::pin(async move { Self::of(visit.as_ref()).await })
    }
}

impl FromRequest for MaybeSignedIn {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        let visit = request.extensions().get::<Visit>().cloned();
        Box::pin(async move { Self::of(visit.as_ref()).await })
    }
}

/// The answer to a program. The middleware, which knows the request, makes of it what a browser needs.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        let status = StatusCode::from_u16(self.status().as_u16());
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = page(self.json());
        answer.extensions_mut().insert(self.clone());
        answer
    }
}
