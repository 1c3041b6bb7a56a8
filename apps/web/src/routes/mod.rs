//! Every address of the application.

use actix_web::{
    FromRequest, Handler, HttpResponse, HttpResponseBuilder, Resource, Responder,
    ResponseError as _, Route, guard,
    http::header::{self, CONTENT_TYPE},
    web::{self, ServiceConfig},
};

use crate::{assets, problem::Problem};

mod callback;
mod dashboard;
mod form;
mod login;
mod logout;
mod me;
mod operations;
mod refresh;
mod sign_ins;

/// Paths that load balancers ask for, also by IP address or without a name. Their answers say nothing about
/// anybody.
pub(crate) const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Adds all routes. The callback is where the redirect URI says.
pub(crate) fn configure(config: &mut ServiceConfig, callback_path: &str) {
    config
        .service(get("/", dashboard::home))
        .service(get("/call", dashboard::call))
        .service(get("/login", login::begin))
        .service(get(callback_path, callback::finish))
        .service(get("/me", me::extension))
        .service(post("/refresh", refresh::now))
        .service(post("/sign-ins/end", sign_ins::end))
        .service(post("/sign-ins/end-all", sign_ins::end_all))
        .service(logout_resource())
        .service(get("/healthz", operations::live))
        .service(get("/readyz", operations::ready))
        .service(get(&assets::STYLE.to_string(), async || {
            assets::STYLE.answer()
        }))
        .service(get(&assets::ICON.to_string(), async || {
            assets::ICON.answer()
        }))
        .default_service(web::to(async || {
            Err::<HttpResponse, _>(Problem::not_found())
        }));
}

/// The name of a path in logs and metrics.
pub(crate) fn name_of(path: &str, callback_path: &str) -> &'static str {
    const NAMED: &[&str] = &[
        "/",
        "/call",
        "/login",
        "/me",
        "/refresh",
        "/logout",
        "/sign-ins/end",
        "/sign-ins/end-all",
        "/healthz",
        "/readyz",
    ];
    if path == callback_path {
        return "callback";
    }
    let named = NAMED.iter().find(|name| **name == path);
    named.copied().unwrap_or(if path.starts_with("/assets/") {
        "assets"
    } else {
        "other"
    })
}

/// `GET`, and `HEAD` as the same without a body.
fn get<H, Args>(path: &str, handler: H) -> Resource
where
    H: Handler<Args>,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    let readable = guard::Any(guard::Get()).or(guard::Head());
    web::resource(path)
        .route(web::route().guard(readable).to(handler))
        .default_service(refused("GET, HEAD"))
}

fn post<H, Args>(path: &str, handler: H) -> Resource
where
    H: Handler<Args>,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::post().to(handler))
        .default_service(refused("POST"))
}

fn logout_resource() -> Resource {
    web::resource("/logout")
        .route(web::get().to(logout::ask))
        .route(web::head().to(logout::ask))
        .route(web::post().to(logout::sign_out))
        .default_service(refused("GET, HEAD, POST"))
}

fn refused(allow: &'static str) -> Route {
    web::to(move || async move {
        let mut response = Problem::method_not_allowed().error_response();
        response
            .headers_mut()
            .insert(header::ALLOW, header::HeaderValue::from_static(allow));
        response
    })
}

/// "Look there", after a POST or a callback (RFC 9110 §15.4.4): going back or reloading sends nothing twice.
fn see_other(location: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, location));
    response.insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"));
    response
}
