//! The web server: routes between the log and the headers that every answer gets.

use std::{net::TcpListener, rc::Rc};

use actix_web::{
    App, Either, HttpServer,
    dev::{Server, Service as _, ServiceResponse},
    http::header::HeaderMap,
    web::Data,
};
use rc_auth_web::actix;

use crate::{admission, chunked, request_log::Observed, routes, session, state::Application};

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
        let headers = Rc::new(security_headers(&application));
        let callback_path = application.auth().callback_path().to_owned();
        App::new()
            .app_data(Data::new(application.clone()))
            .configure(|config| routes::configure(config, &callback_path))
            // Inner services turn their errors into responses, so that this sees every answer there is.
            .wrap_fn(move |mut request, service| {
                let route = routes::name_of(request.path(), observed.auth().callback_path());
                let observation = Observed::start(request.method(), route);
                let headers = Rc::clone(&headers);
                let refusal = chunked::refusal(&mut request)
                    .or_else(|| admission::refusal(&request, observed.auth()));
                let answer = match refusal {
                    Some(refusal) => Either::Left(request.into_response(refusal)),
                    None => Either::Right(service.call(request)),
                };
                async move {
                    let mut response: ServiceResponse = match answer {
                        Either::Left(refused) => refused,
                        Either::Right(response) => response.await?,
                    };
                    session::prolong(&mut response);
                    add_missing(&headers, response.headers_mut());
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
fn security_headers(application: &Application) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in application.auth().security_headers() {
        actix::append_header(&mut headers, name, value);
    }
    headers
}

fn add_missing(headers: &HeaderMap, present: &mut HeaderMap) {
    for (name, value) in headers {
        if !present.contains_key(name) {
            present.insert(name.clone(), value.clone());
        }
    }
}
