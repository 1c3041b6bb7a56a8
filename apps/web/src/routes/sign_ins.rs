//! `POST /sign-ins/end` and `POST /sign-ins/end-all`: a person's other sign-ins.

use actix_web::{HttpRequest, HttpResponse, web::Payload};
use http::header::SET_COOKIE;
use rc_auth::{SignInEntry, SignedOutEverywhere};
use url::form_urlencoded;

use super::{form, see_other};
use rc_auth_web::actix;

use crate::{
    problem::Problem,
    session,
    state::{Application, CALL_PATIENCE},
};

/// Ends one of the sign-ins that the dashboard lists, named by the moment it was made.
pub(super) async fn end(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let session = session::of(&request).await?;
    let session = session.ok_or_else(Problem::signed_out)?;
    let fields = form::check(&request, payload, &session).await?;
    let made_at = form_urlencoded::parse(&fields)
        .find(|(name, _)| name == "made_at")
        .and_then(|(_, millis)| millis.parse().ok());
    let listed = application.within(CALL_PATIENCE, session.grant().sign_ins());
    let listed = listed.await.ok_or_else(Problem::slow_database)??;
    let Some(entry) = named(&listed, made_at) else {
        return Ok(see_other("/?done=sign-in-unknown").finish());
    };
    let grant = application.auth().client().grant(&entry.key);
    let ended = application.within(CALL_PATIENCE, grant.sign_out());
    ended.await.ok_or_else(Problem::slow_database)??;
    Ok(see_other("/?done=sign-in-ended").finish())
}

/// Another sign-in of the same person that was made at this moment. Of two made in the same millisecond none is
/// meant for sure.
fn named(listed: &[SignInEntry], made_at: Option<i64>) -> Option<&SignInEntry> {
    let made_at = made_at?;
    let mut named = listed.iter().filter(|entry| {
        !entry.is_this && entry.made_at.map(|at| at.unix_millis()) == Some(made_at)
    });
    let only = named.next()?;
    named.next().is_none().then_some(only)
}

/// Signs out here and everywhere else.
pub(super) async fn end_all(
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let session = session::of(&request).await?;
    let session = session.ok_or_else(Problem::signed_out)?;
    form::check(&request, payload, &session).await?;
    let everywhere = session.grant().sign_out_everywhere();
    let ended = application.within(CALL_PATIENCE, everywhere).await;
    let SignedOutEverywhere { failed, .. } = ended.ok_or_else(Problem::slow_database)??;
    for (_, error) in &failed {
        tracing::warn!(%error, "one of a person's sign-ins could not be ended");
    }
    let here = application.auth().sign_out(&session).await;
    let done = if failed.is_empty() {
        "/?done=sign-out-everywhere"
    } else {
        "/?done=sign-out-partly"
    };
    let mut response = see_other(done).finish();
    actix::append_header(response.headers_mut(), &SET_COOKIE, &here.set_cookie);
    Ok(response)
}
