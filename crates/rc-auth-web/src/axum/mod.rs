//! Signing in and out in an axum application.
//!
//! ```no_run
//! # async fn run(auth: rc_auth_web::WebAuth) -> std::io::Result<()> {
//! use axum::{Router, routing::get};
//! use rc_auth_web::{Problem, SignedIn};
//!
//! async fn me(me: SignedIn) -> Result<String, Problem> {
//!     let answer = me.grant().get("/restapi/v1.0/account/~/extension/~").await?;
//!     Ok(String::from_utf8_lossy(&answer.body).into_owned())
//! }
//!
//! let app = rc_auth_web::axum::app(&auth, Router::new().route("/", get(me)));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! axum::serve(listener, app).await
//! # }
//! ```
//!
//! An application that wants pages of its own for signing in leaves [`routes`] out, and calls
//! [`WebAuth::begin_sign_in`], [`WebAuth::finish_sign_in`] and [`WebAuth::sign_out`] in its own handlers.

mod extract;

use std::net::SocketAddr;

use axum::{
    RequestExt as _, Router,
    body::to_bytes,
    extract::{ConnectInfo, Request, State, connect_info::IntoMakeServiceWithConnectInfo},
    middleware::{FromFnLayer, Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::any,
};
use http::{header::SET_COOKIE, request::Parts};
use rc_auth::transport::BoxFuture;

use crate::{
    MAX_FORM, Problem, WebAuth,
    mount::{LOOKED_AT, Route, Visit},
};

/// What to do where axum does not know who connected.
const NO_CONNECT_INFO: &str = "serve what `rc_auth_web::axum::app` gives, or a router's \
    `into_make_service_with_connect_info::<SocketAddr>()`";

/// The middleware that [`layer`] gives.
pub type AuthLayer = FromFnLayer<
    fn(State<WebAuth>, Request, Next) -> BoxFuture<'static, Response>,
    WebAuth,
    (State<WebAuth>, Request),
>;

/// `router` with [`routes`] inside of [`layer`], ready for `axum::serve`: with the address of each browser, which
/// limits count by.
///
/// # Panics
///
/// If `router` has one of the routes itself.
pub fn app(auth: &WebAuth, router: Router) -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
    let router = router.merge(routes(auth)).layer(layer(auth));
    router.into_make_service_with_connect_info()
}

/// The routes of signing in and out: [`Paths::sign_in`](crate::Paths), [`Paths::sign_out`](crate::Paths), and the
/// path of the redirect URI. They need [`layer`] around them, and answer 500 without.
pub fn routes<S: Clone + Send + Sync + 'static>(auth: &WebAuth) -> Router<S> {
    let none = Router::new().without_v07_checks();
    Route::ALL.into_iter().fold(none, |router, route| {
        let serve = move |request: Request| serve(route, request);
        router.route(route.path(auth), any(serve))
    })
}

/// The middleware, to be put around everything an application serves: it refuses other hosts and the forms of
/// other sites, adds the security headers that an answer does not have, and brings prolonged sessions to their
/// browsers. [`SignedIn`](crate::SignedIn) needs it.
///
/// It has to know who connected, and answers every request with 500 where it does not: see
/// [`ConnectInfo`]. Behind a proxy that connects by a Unix socket, add
/// [`MockConnectInfo`](axum::extract::connect_info::MockConnectInfo) with 127.0.0.1 and list that as trusted.
pub fn layer(auth: &WebAuth) -> AuthLayer {
    from_fn_with_state(auth.clone(), |State(auth), request, next| {
        Box::pin(guard(auth, request, next))
    })
}

async fn guard(auth: WebAuth, mut request: Request, next: Next) -> Response {
    let peer = request.extract_parts::<ConnectInfo<SocketAddr>>().await;
    let peer = peer.ok().map(|ConnectInfo(peer)| peer.ip());
    let mut response = match Visit::begin(&auth, looked_at(&request), peer, NO_CONNECT_INFO) {
        Ok(visit) => visited(visit, request, next).await,
        Err(answer) => answer.into_response(),
    };
    auth.add_security_headers(response.headers_mut());
    response
}

async fn visited(visit: Visit, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(visit.clone());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = visit.answer(&problem).into_response();
    }
    let mut set_cookies = response.headers().get_all(SET_COOKIE).into_iter();
    let decided = set_cookies.any(|value| visit.is_session_cookie(value.as_bytes()));
    if let Some(reissue) = visit.reissue().filter(|_| !decided) {
        response.headers_mut().append(SET_COOKIE, reissue.clone());
    }
    response
}

async fn serve(route: Route, request: Request) -> Response {
    let visit = request.extensions().get::<Visit>().cloned();
    let body = if route.reads(request.method()) {
        // What is too long or breaks off is no form of this application, as an empty one is none.
        let read = to_bytes(request.into_body(), MAX_FORM).await;
        read.unwrap_or_default()
    } else {
        axum::body::Bytes::new()
    };
    route.serve(visit.as_ref(), &body).await.into_response()
}

/// A copy of what this crate looks at.
fn looked_at(request: &Request) -> Parts {
    let (mut copy, ()) = Request::new(()).into_parts();
    copy.method = request.method().clone();
    copy.uri = request.uri().clone();
    for name in &LOOKED_AT {
        for value in request.headers().get_all(name) {
            copy.headers.append(name, value.clone());
        }
    }
    copy
}
