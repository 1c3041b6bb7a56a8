//! `/logout`: asks on GET, does it on POST.

use actix_web::{HttpRequest, HttpResponse, web::Payload};
use http::header::SET_COOKIE;
use rc_auth_web::{SignOut, SignOutOutcome, actix};

use super::{form, see_other};
use crate::{pages, problem::Problem, session, state::Application};

/// A page with the button. A link alone must not sign anybody out.
pub(super) async fn ask(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let session = session::of(&request).await?;
    let form_token = session.map(|session| session.form_token());
    Ok(pages::answer(
        &mut HttpResponse::Ok(),
        &pages::SignOut { form_token },
    ))
}

/// Signs out. Whatever the platform or the store say, this browser is signed out afterwards.
///
/// Without a session there is nothing to end, and no cookie is touched.
pub(super) async fn sign_out(
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let Some(session) = session::of(&request).await? else {
        return Ok(see_other("/?done=sign-out").finish());
    };
    form::check(&request, payload, &session).await?;
    let auth = Application::of(&request).auth();
    let SignOut {
        outcome,
        set_cookie,
    } = auth.sign_out(&session).await;
    let mut response = see_other(match outcome {
        SignOutOutcome::Ended => "/?done=sign-out",
        SignOutOutcome::RevocationPending => "/?done=sign-out-pending",
        SignOutOutcome::Begun => "/?done=sign-out-begun",
        // Promises the least.
        _ => "/?done=sign-out-here",
    })
    .finish();
    actix::append_header(response.headers_mut(), &SET_COOKIE, &set_cookie);
    Ok(response)
}
