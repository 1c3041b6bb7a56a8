//! `POST /refresh`: a new pair of tokens now.

use actix_web::{HttpRequest, HttpResponse, web::Payload};

use super::{form, see_other};
use crate::{
    problem::Problem,
    session,
    state::{Application, PAGE_PATIENCE},
};

/// Refreshes the grant, together with whoever refreshes it already.
pub(super) async fn now(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let session = session::of(&request).await?;
    let session = session.ok_or_else(Problem::signed_out)?;
    form::check(&request, payload, &session).await?;
    let done = match application
        .within(PAGE_PATIENCE, session.grant().refresh())
        .await
    {
        Some(refreshed) => refreshed.map(|_| "/?done=refresh")?,
        // It goes on by itself.
        None => "/?done=refresh-begun",
    };
    Ok(see_other(done).finish())
}
