//! `POST /refresh`: a new pair of tokens now.

use actix_web::{HttpRequest, HttpResponse, web::Payload};

use super::{form, see_other};
use crate::{problem::Problem, state::Application};

/// Refreshes the grant, together with whoever refreshes it already.
pub(super) async fn now(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let session = application
        .session(request.headers())
        .ok_or_else(Problem::signed_out)?;
    form::check(&request, payload, &session).await?;
    let grant = application.client().grant(session.grant());
    application.in_runtime(grant.refresh()).await?;
    Ok(see_other("/?done=refresh").finish())
}
