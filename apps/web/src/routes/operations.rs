//! For operators: is it alive, is it ready, what does it measure.

use actix_web::{HttpRequest, HttpResponse, http::header::ContentType};
use rc_auth::store::RecordKey;

use crate::{problem::Problem, state::Application, telemetry};

/// The process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::plaintext())
        .body("live\n")
}

/// The store answers. The platform is not asked: while it is away, signed-in people still get pages.
pub(super) async fn ready(request: HttpRequest) -> HttpResponse {
    // No record has this key: real ones are digests.
    let nobody = RecordKey::new([0; 32]);
    let application = Application::of(&request);
    match application
        .in_runtime(application.store().load(&nobody))
        .await
    {
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

/// Measurements in Prometheus' text format, for this machine only. A proxy on this machine speaks for
/// others, and says so.
pub(super) async fn metrics(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let local = request
        .peer_addr()
        .is_some_and(|peer| peer.ip().is_loopback());
    let proxied = ["forwarded", "x-forwarded-for", "x-forwarded-host", "via"]
        .iter()
        .any(|name| request.headers().contains_key(*name));
    if !local || proxied {
        return Err(Problem::not_found());
    }
    let text = telemetry::render_metrics();
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text))
}
