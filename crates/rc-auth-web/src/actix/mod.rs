//! Signing in and out in an actix application.
//!
//! ```no_run
//! # async fn run(auth: rc_auth_web::WebAuth) -> std::io::Result<()> {
//! use actix_web::{App, HttpServer, web};
//! use rc_auth_web::{Problem, SignedIn, actix};
//!
//! async fn me(me: SignedIn) -> Result<String, Problem> {
//!     let answer = me.grant().get("/restapi/v1.0/account/~/extension/~").await?;
//!     Ok(String::from_utf8_lossy(&answer.body).into_owned())
//! }
//!
//! // One `auth` for all workers, made before they are.
//! let app = move || {
//!     App::new()
//!         .wrap(actix::middleware(&auth))
//!         .configure(actix::routes(&auth))
//!         .route("/", web::get().to(me))
//! };
//! HttpServer::new(app).bind("127.0.0.1:8080")?.run().await
//! # }
//! ```
//!
//! An application that wants pages of its own for signing in leaves [`routes`] out, and calls
//! [`WebAuth::begin_sign_in`], [`WebAuth::finish_sign_in`] and [`WebAuth::sign_out`] in its own handlers, with
//! [`request_parts`] and [`response`] between them and actix.

mod convert;
mod extract;

use std::rc::Rc;

use actix_web::{
    Error, HttpMessage as _, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    error::ErrorBadRequest,
    http::header::SET_COOKIE,
    middleware::{Next, from_fn},
    web,
};

use self::convert::{Headers, page};
pub use self::convert::{append_header, request_parts, response, status};
use crate::{
    MAX_FORM, Problem, WebAuth,
    mount::{Route, Visit},
};

/// What to do where actix does not know who connected.
const NO_PEER: &str = "listen on a TCP port, not on a Unix socket";

/// The routes of signing in and out: [`Paths::sign_in`](crate::Paths), [`Paths::sign_out`](crate::Paths), and the
/// path of the redirect URI; for `App::configure`. They need [`middleware`] around them, and answer 500 without.
pub fn routes(auth: &WebAuth) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let paths = Route::ALL.map(|route| (route, route.path(auth).to_owned()));
    move |config| {
        for (route, path) in paths {
            let serve = move |request, body| serve(route, request, body);
            config.route(&path, web::route().to(serve));
        }
    }
}

/// The middleware, to be put around everything an application serves, for `App::wrap`: it refuses other hosts and
/// the forms of other sites, adds the security headers that an answer does not have, and brings prolonged
/// sessions to their browsers. [`SignedIn`](crate::SignedIn) needs it.
///
/// It has to know who connected, and answers every request with 500 where it does not, as on Unix sockets.
pub fn middleware<S, B>(
    auth: &WebAuth,
) -> impl Transform<
    S,
    ServiceRequest,
    Response = ServiceResponse<EitherBody<B>>,
    Error = Error,
    InitError = (),
> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let auth = auth.clone();
    let security_headers: Rc<Headers> = Rc::new(convert::headers(auth.security_headers()));
    from_fn(move |request, next| guard(auth.clone(), Rc::clone(&security_headers), request, next))
}

async fn guard<B: MessageBody + 'static>(
    auth: WebAuth,
    security_headers: Rc<Headers>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let peer = request.peer_addr().map(|peer| peer.ip());
    let copy = request_parts(request.head()).map_err(ErrorBadRequest)?;
    let mut served = match Visit::begin(&auth, copy, peer, NO_PEER) {
        Ok(visit) => visited(visit, request, next).await?,
        Err(answer) => request.into_response(page(*answer)).map_into_right_body(),
    };
    let headers = served.headers_mut();
    for (name, value) in security_headers.iter() {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    Ok(served)
}

async fn visited<B: MessageBody + 'static>(
    visit: Visit,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    request.extensions_mut().insert(visit.clone());
    let mut served = next.call(request).await?;
    let problem = served.response_mut().extensions_mut().remove::<Problem>();
    let mut served = match problem {
        Some(problem) => served
            .into_response(page(visit.answer(&problem)))
            .map_into_right_body(),
        None => served.map_into_left_body(),
    };
    let mut set_cookies = served.headers().get_all(SET_COOKIE);
    let decided = set_cookies.any(|value| visit.is_session_cookie(value.as_bytes()));
    if let Some(reissue) = visit.reissue().filter(|_| !decided) {
        append_header(served.headers_mut(), &http::header::SET_COOKIE, reissue);
    }
    Ok(served)
}

async fn serve(route: Route, request: HttpRequest, body: web::Payload) -> HttpResponse {
    let visit = request.extensions().get::<Visit>().cloned();
    let reads = visit
        .as_ref()
        .is_some_and(|visit| route.reads(&visit.request().method));
    let body = if reads {
        // What is too long or breaks off is no form of this application, as an empty one is none.
        let read = body.to_bytes_limited(MAX_FORM).await;
        read.ok().and_then(Result::ok).unwrap_or_default()
    } else {
        web::Bytes::new()
    };
    page(route.serve(visit.as_ref(), &body).await)
}
