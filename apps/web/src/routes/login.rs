//! `GET /login`: to the platform.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HOST, LOCATION, SET_COOKIE},
};
use url::form_urlencoded;

use crate::{pending::PendingSignIn, problem::Problem, return_to::LocalPath, state::Application};

/// Starts a sign-in in this browser. `?return_to=` names a local path to come back to.
pub(super) async fn begin(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let return_to = return_to(&request);
    if let Some(there) = at_the_redirect_uri(&request, &return_to) {
        return Ok(HttpResponse::Found()
            .insert_header((LOCATION, there))
            .finish());
    }
    let sign_in = application.client().begin_sign_in()?;
    let pending = PendingSignIn {
        authorization: sign_in.pending,
        return_to,
    };
    let set_cookies = pending
        .set_cookies(request.headers(), application.cookies(), application.now())
        .map_err(|error| Problem::internal(&error))?;
    let mut response = HttpResponse::Found();
    response.insert_header((LOCATION, sign_in.url));
    for set_cookie in set_cookies {
        response.append_header((SET_COOKIE, set_cookie));
    }
    Ok(response.finish())
}

/// The path asked for, or the start page if it is not local or would start another sign-in.
fn return_to(request: &HttpRequest) -> LocalPath {
    let callback = Application::of(request).redirect_uri().path();
    let mut parameters = form_urlencoded::parse(request.query_string().as_bytes());
    let wanted = parameters.find(|(name, _)| name == "return_to");
    wanted
        .and_then(|(_, path)| LocalPath::parse(&path))
        .filter(|path| !path.leads_to("/login") && !path.leads_to(callback))
        .unwrap_or_else(LocalPath::home)
}

/// Cookies belong to a host name. Whoever opened `localhost` and comes back to `127.0.0.1` would find the
/// sign-in's cookie missing, so the sign-in starts at the name it ends at. Between names of this machine
/// only: elsewhere a proxy may have put another name in `Host`.
fn at_the_redirect_uri(request: &HttpRequest, return_to: &LocalPath) -> Option<String> {
    let redirect_uri = Application::of(request).redirect_uri();
    let host = request.headers().get(HOST)?.to_str().ok()?;
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&name);
    let same_port = redirect_uri
        .authority()
        .rsplit_once(':')
        .is_some_and(|(_, p)| p == port);
    let moves =
        loopback && same_port && redirect_uri.is_loopback() && host != redirect_uri.authority();
    moves.then(|| {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("return_to", return_to.as_str())
            .finish();
        format!("{}/login?{query}", redirect_uri.origin())
    })
}
