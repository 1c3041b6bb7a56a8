//! Forms: small, in time, and only from pages of the same browser session.
//!
//! Forms of other sites do not come this far; see [`crate::admission`].

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{Bytes, Payload},
};
use rc_auth_web::{MAX_FORM, Session};

use crate::{converted, problem::Problem, state::Application};

/// Reads the form and checks that `session` owns it. Gives back its fields, encoded.
pub(super) async fn check(
    request: &HttpRequest,
    payload: Payload,
    session: &Session,
) -> Result<Bytes, Problem> {
    let limit = Application::of(request).form_limit();
    let body = match tokio::time::timeout(limit, payload.to_bytes_limited(MAX_FORM)).await {
        Ok(Ok(Ok(body))) => body,
        Ok(Ok(Err(_))) => return Err(Problem::unreadable_form(StatusCode::BAD_REQUEST)),
        Ok(Err(_)) => return Err(Problem::unreadable_form(StatusCode::PAYLOAD_TOO_LARGE)),
        Err(_) => return Err(Problem::unreadable_form(StatusCode::REQUEST_TIMEOUT)),
    };
    let parts = converted::parts_of(request);
    session.check_form(&parts.headers, &body)?;
    Ok(body)
}
