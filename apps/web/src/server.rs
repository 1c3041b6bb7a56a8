//! The web server: routes between the log and the headers that every answer gets.

use std::{net::TcpListener, rc::Rc};

use actix_web::{
    App, Either, HttpServer,
    dev::{Server, Service as _, ServiceResponse},
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
        STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
    web::Data,
};

use crate::{admission, chunked, request_log::Observed, routes, state::Application};

/// How long requests in the air may take after a signal to stop: longer than the slowest token request.
const SHUTDOWN_SECONDS: u64 = 45;

/// A server on `listener`. It runs when awaited, and leaves signals to the caller.
///
/// # Errors
///
/// When the listener cannot be used.
pub(crate) fn on(listener: TcpListener, application: Application) -> std::io::Result<Server> {
    let build = move || {
        let observed = application.clone();
        let headers = Rc::new(default_headers(application.redirect_uri().is_https()));
        let callback_path = application.redirect_uri().path().to_owned();
        App::new()
            .app_data(Data::new(application.clone()))
            .configure(|config| routes::configure(config, &callback_path))
            // Inner services turn their errors into responses, so that this sees every answer there is.
            .wrap_fn(move |mut request, service| {
                let route = routes::name_of(request.path(), observed.redirect_uri());
                let observation = Observed::start(request.method(), route);
                let headers = Rc::clone(&headers);
                let refusal = chunked::refusal(&mut request)
                    .or_else(|| admission::refusal(&request, observed.redirect_uri()));
                let answer = match refusal {
                    Some(refusal) => Either::Left(request.into_response(refusal)),
                    None => Either::Right(service.call(request)),
                };
                async move {
                    let mut response: ServiceResponse = match answer {
                        Either::Left(refused) => refused,
                        Either::Right(response) => response.await?,
                    };
                    add_missing(&headers, &mut response);
                    observation.finish(response.status());
                    Ok(response)
                }
            })
    };
    let server = HttpServer::new(build).listen(listener)?;
    Ok(server
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .run())
}

/// What every answer says to the browser unless its route says otherwise.
fn default_headers(https: bool) -> Vec<(HeaderName, HeaderValue)> {
    const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                       base-uri 'none'; frame-ancestors 'none'";
    let text = HeaderValue::from_static;
    let mut headers = vec![
        (CACHE_CONTROL, text("no-store")),
        (CONTENT_SECURITY_POLICY, text(CSP)),
        // A callback's address holds a code, which no other site may see. `no-referrer` would make
        // browsers send `Origin: null` with this application's own forms.
        (REFERRER_POLICY, text("same-origin")),
        (X_CONTENT_TYPE_OPTIONS, text("nosniff")),
        (X_FRAME_OPTIONS, text("DENY")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            text("same-origin"),
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            text("same-origin"),
        ),
    ];
    if https {
        headers.push((STRICT_TRANSPORT_SECURITY, text("max-age=31536000")));
    }
    headers
}

fn add_missing(headers: &[(HeaderName, HeaderValue)], response: &mut ServiceResponse) {
    let present = response.headers_mut();
    for (name, value) in headers {
        if !present.contains_key(name) {
            present.insert(name.clone(), value.clone());
        }
    }
}
