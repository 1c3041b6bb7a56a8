//! `GET /me`: who is signed in, for programs.

use actix_web::{HttpRequest, HttpResponse, http::header::ContentType};
use serde::de::IgnoredAny;

use crate::{
    problem::{JsonProblem, Problem},
    session,
    state::{CALL_PATIENCE, EXTENSION},
};

/// The platform's answer, asked for each time and passed on as it is.
pub(super) async fn extension(request: HttpRequest) -> Result<HttpResponse, JsonProblem> {
    let session = session::of(&request).await?;
    let session = session.ok_or_else(Problem::signed_out)?;
    let call = session.grant().get(EXTENSION).timeout(CALL_PATIENCE);
    let answer = call.send().await?;
    answer.json::<IgnoredAny>()?;
    Ok(HttpResponse::Ok()
        .content_type(ContentType::json())
        .body(answer.body))
}
