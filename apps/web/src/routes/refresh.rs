//! `POST /refresh`: a new pair of tokens now.

use actix_web::{HttpRequest, HttpResponse, web::Payload};

use super::{form, see_other};
use crate::{
    problem::Problem,
    state::{Application, PAGE_PATIENCE},
};

/// Refreshes the grant, together with whoever refreshes it already.
pub(super) async fn now(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let session = application
        .session(request.headers())
        .ok_or_else(Problem::signed_out)?;
    form::check(&request, payload, &session).await?;
    let grant = application.client().grant(session.grant());
    let done = match application.within(PAGE_PATIENCE, grant.refresh()).await {
        Some(refreshed) => refreshed.map(|_| "/?done=refresh")?,
        // It goes on by itself.
        None => "/?done=refresh-begun",
    };
    Ok(see_other(done).finish())
}
