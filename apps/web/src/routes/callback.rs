//! The redirect URI: back from the platform.

use actix_web::{HttpRequest, HttpResponse, http::header::SET_COOKIE};
use rc_auth::{Grant, PendingAuthorization, SignInError, callback_attempt};

use super::see_other;
use crate::{
    code_exchanges::Admission,
    pending::PendingSignIn,
    problem::Problem,
    session::BrowserSession,
    state::{Application, PAGE_PATIENCE},
};

/// Finishes a sign-in of this browser.
///
/// Only success removes the attempt's cookie: a failed callback may be somebody else's doing, and must not
/// spoil the real one.
pub(super) async fn finish(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let query = request.query_string();
    let attempt = callback_attempt(query).ok_or_else(Problem::malformed_callback)?;
    let pending = PendingSignIn::of(request.headers(), application.cookies(), &attempt)
        .ok_or_else(Problem::foreign_callback)?;
    let admission = application.admit_exchange(&request, &attempt)?;
    let grant = exchange(application, admission, pending.authorization, query).await?;
    end_older_session(&request, &grant);
    // The dashboard that follows shows the name, unless the platform is slow.
    let _ = application
        .within(PAGE_PATIENCE, application.find_out_who(&grant))
        .await;

    let session = BrowserSession::start(grant.key().clone(), application.now())
        .map_err(|error| Problem::internal(&error))?;
    let cookies = application.cookies();
    let session = session
        .set_cookie(cookies)
        .map_err(|error| Problem::internal(&error))?;
    Ok(see_other(pending.return_to.as_str())
        .append_header((SET_COOKIE, session))
        .append_header((SET_COOKIE, PendingSignIn::remove_cookie(cookies, &attempt)))
        .finish())
}

/// Finishes the sign-in in a task of its own, which holds the admission to its end: a browser that hangs up
/// makes no room for another exchange while its own goes on.
async fn exchange(
    application: &Application,
    admission: Admission,
    pending: PendingAuthorization,
    query: &str,
) -> Result<Grant, Problem> {
    let (finishing, query) = (application.clone(), query.to_owned());
    let task = application.spawn(async move {
        let finished = finishing.client().finish_sign_in(pending, &query).await;
        if finished.as_ref().is_err_and(is_refusal) {
            admission.refused(finishing.mono());
        }
        finished
    });
    let finished = task.await.map_err(|error| Problem::internal(&error))?;
    Ok(finished?)
}

/// Whether the platform refused what this browser sent. Not only the refusal of a code: who sends a strange
/// code chooses which refusal comes.
fn is_refusal(error: &SignInError) -> bool {
    matches!(
        error,
        SignInError::CodeRefused(_) | SignInError::AppRefused(_) | SignInError::NotPermitted(_)
    )
}

/// Signs out the grant this browser had before, whatever its session's age: nothing would name it any more. In the
/// background: the new sign-in is complete and need not wait for it.
///
/// A duplicate of this callback finds the same grant in the cookie, and that one stays. Of two tabs that
/// finish in the same moment neither sees the other's cookie; the grant that loses ends when it
/// has gone unused for 30 days, or RingCentral's limit of five sign-ins ends it before.
fn end_older_session(request: &HttpRequest, grant: &Grant) {
    let application = Application::of(request);
    let (headers, cookies) = (request.headers(), application.cookies());
    let Some(session) = BrowserSession::to_be_replaced(headers, cookies, application.now()) else {
        return;
    };
    if session.grant() == grant.key() {
        return;
    }
    let older = application.client().grant(session.grant());
    drop(application.spawn(async move {
        if let Err(error) = older.sign_out().await {
            tracing::warn!(%error, "an older sign-in of the same browser could not be ended");
        }
    }));
}
