//! `/logout`: asks on GET, does it on POST.

use actix_web::{HttpRequest, HttpResponse, http::header::SET_COOKIE, web::Payload};
use rc_auth::{GrantError, SignedOut};

use super::{form, see_other};
use crate::{
    pages::{self, SignOut},
    problem::Problem,
    session::BrowserSession,
    state::{Application, PAGE_PATIENCE},
};

/// A page with the button. A link alone must not sign anybody out.
pub(super) async fn ask(request: HttpRequest) -> HttpResponse {
    let session = Application::of(&request).session(request.headers());
    let form_token = session.map(|session| session.form_token());
    pages::answer(&mut HttpResponse::Ok(), &SignOut { form_token })
}

/// Signs out. Whatever the platform or the store say, this browser is signed out afterwards.
///
/// Without a session there is nothing to end, and no cookie is touched: a form of another site, which
/// carries no `SameSite=Lax` cookie, must not remove the session of the browser that sent it.
pub(super) async fn sign_out(
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let Some(session) = application.session(request.headers()) else {
        return Ok(see_other("/?done=sign-out").finish());
    };
    form::check(&request, payload, &session).await?;
    let mut done = "/?done=sign-out";
    let grant = application.client().grant(session.grant());
    match application.within(PAGE_PATIENCE, grant.sign_out()).await {
        Some(Ok(SignedOut::RevocationPending)) => done = "/?done=sign-out-pending",
        // Not written down yet; it is tried on.
        None => done = "/?done=sign-out-begun",
        Some(Ok(_) | Err(GrantError::SignInAgain { .. })) => {} // or over before
        Some(Err(error)) => {
            tracing::warn!(%error, "signed out in the browser only");
            done = "/?done=sign-out-here";
        }
    }
    let remove = BrowserSession::remove_cookie(application.cookies());
    Ok(see_other(done).append_header((SET_COOKIE, remove)).finish())
}
