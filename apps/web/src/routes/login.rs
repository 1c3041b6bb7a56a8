//! `GET /login`: to the platform.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HOST, LOCATION, SET_COOKIE},
};
use url::form_urlencoded;

use super::dashboard::start_page_for;
use crate::{
    pages::Notice, pending::PendingSignIn, problem::Problem, return_to::LocalPath,
    state::Application,
};

/// Starts a sign-in in this browser. `?return_to=` names a local path to come back to.
///
/// A link or redirect of another site starts nothing and shows the button: under single sign-on it would
/// replace the sign-in that this browser has, without a click of its user.
pub(super) async fn begin(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let return_to = return_to(&request);
    if is_from_another_site(&request) {
        let notice = Notice::good(
            "Another site led you here.",
            "Press the button if you want to sign in.",
        );
        let again = to_login(&return_to);
        return Ok(start_page_for(application, Some(notice), again));
    }
    if let Some(origin) = origin_to_start_at(&request) {
        let there = format!("{origin}{}", to_login(&return_to));
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
///
/// The start page is moved too: from there on the button's request is one within the site.
pub(super) fn origin_to_start_at(request: &HttpRequest) -> Option<String> {
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
    moves.then(|| redirect_uri.origin())
}

/// Whether the browser says that another site led to this request. Other names of the same site
/// (`same-site`) may start a sign-in: they belong to the same organization, whose pages link here. A browser
/// or program that says nothing may too.
fn is_from_another_site(request: &HttpRequest) -> bool {
    let mut sites = request.headers().get_all("sec-fetch-site");
    sites.any(|site| site == "cross-site")
}

/// The local address that starts a sign-in and comes back to `return_to`.
fn to_login(return_to: &LocalPath) -> String {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("return_to", return_to.as_str())
        .finish();
    format!("/login?{query}")
}
