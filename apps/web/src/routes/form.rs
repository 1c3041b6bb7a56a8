//! Forms: small, in time, and only from pages of the same browser session.
//!
//! Forms of other sites do not come this far; see [`crate::admission`].

use actix_web::{
    HttpRequest,
    http::{StatusCode, header::CONTENT_TYPE},
    web::Payload,
};
use url::form_urlencoded;

use crate::{problem::Problem, session::BrowserSession, state::Application};

/// The most bytes of a form that are read; ours have 40.
const MAX_FORM: usize = 4096;

/// Reads the form and checks that `session` owns it.
pub(super) async fn check(
    request: &HttpRequest,
    payload: Payload,
    session: &BrowserSession,
) -> Result<(), Problem> {
    let is_form = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|media_type| {
            media_type
                .as_bytes()
                .starts_with(b"application/x-www-form-urlencoded")
        });
    if !is_form {
        return Err(Problem::foreign_form());
    }
    let limit = Application::of(request).form_limit();
    let body = match tokio::time::timeout(limit, payload.to_bytes_limited(MAX_FORM)).await {
        Ok(Ok(Ok(body))) => body,
        Ok(Ok(Err(_))) => return Err(Problem::unreadable_form(StatusCode::BAD_REQUEST)),
        Ok(Err(_)) => return Err(Problem::unreadable_form(StatusCode::PAYLOAD_TOO_LARGE)),
        Err(_) => return Err(Problem::unreadable_form(StatusCode::REQUEST_TIMEOUT)),
    };
    let token = form_urlencoded::parse(&body).find(|(name, _)| name == "form_token");
    if token.is_some_and(|(_, token)| session.owns_form(&token)) {
        Ok(())
    } else {
        Err(Problem::foreign_form())
    }
}
