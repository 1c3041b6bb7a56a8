//! Forms: small, and only from pages of the same browser session.

use actix_web::{HttpRequest, http::header::CONTENT_TYPE, web::Payload};
use url::form_urlencoded;

use crate::{problem::Problem, session::BrowserSession};

/// The most bytes of a form that are read; ours have 40.
const MAX_FORM: usize = 4096;

/// Reads the form and checks that `session` owns it.
pub(super) async fn check(
    request: &HttpRequest,
    payload: Payload,
    session: &BrowserSession,
) -> Result<(), Problem> {
    // Browsers say where a form was sent from; older ones do not, and the token covers them.
    let site = request.headers().get("sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin") {
        return Err(Problem::foreign_form());
    }
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
    let body = match payload.to_bytes_limited(MAX_FORM).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(Problem::unreadable_form(false)),
        Err(_) => return Err(Problem::unreadable_form(true)),
    };
    let token = form_urlencoded::parse(&body).find(|(name, _)| name == "form_token");
    if token.is_some_and(|(_, token)| session.owns_form(&token)) {
        Ok(())
    } else {
        Err(Problem::foreign_form())
    }
}
