//! Which requests are looked at, asked before routing, so that no route can forget it.

use actix_web::{
    HttpResponse, ResponseError as _,
    dev::ServiceRequest,
    http::{StatusCode, header::ContentType},
};
use rc_auth_web::{Rejection, WebAuth, actix};

use crate::{converted, problem::Problem};

/// The answer to a request that must not reach its route; `None` lets it through. See
/// [`WebAuth::check_request`].
pub(crate) fn refusal(request: &ServiceRequest, auth: &WebAuth) -> Option<HttpResponse> {
    let parts = match converted::convert(request) {
        Ok(parts) => parts,
        Err(error) => {
            tracing::debug!(%error, "a malformed request");
            return Some(HttpResponse::BadRequest().finish());
        }
    };
    match auth.check_request(&parts) {
        Ok(()) => None,
        Err(Rejection::ForeignForm) => Some(Problem::foreign_form().error_response()),
        Err(rejection) => Some(bad_host(actix::status(rejection.status()))),
    }
}

/// A plain answer: what a page would link to is not served under that name either.
pub(crate) fn bad_host(status: StatusCode) -> HttpResponse {
    HttpResponse::build(status)
        .content_type(ContentType::plaintext())
        .body(
            "This application is not served under the host name of this request.\n\
             Operators: it is served under the host of RC_REDIRECT_URI; see rc-web --help.\n",
        )
}
