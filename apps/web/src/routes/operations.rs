//! For operators: is it alive, is it ready.

use actix_web::{HttpRequest, HttpResponse, http::header::ContentType};

use crate::state::Application;

/// The process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .body("live\n")
}

/// The store answers and takes writes. The platform is not asked: while it is away, signed-in people still get pages.
pub(super) async fn ready(request: HttpRequest) -> HttpResponse {
    let application = Application::of(&request);
    match application.store().health().await {
        Ok(_) => HttpResponse::Ok()
            .content_type(ContentType::plaintext())
            .body("ready\n"),
        Err(error) => {
            tracing::warn!(%error, "the store does not answer");
            let mut response = HttpResponse::ServiceUnavailable();
            response
                .content_type(ContentType::plaintext())
                .body("the store does not answer\n")
        }
    }
}
