//! Which requests are looked at: by the host name they were sent to, and by the site a form came from.
//!
//! Both are checked before routing, so that no route can forget them.

use actix_web::{
    HttpResponse, ResponseError as _,
    dev::ServiceRequest,
    http::{
        Method, StatusCode,
        header::{ContentType, HOST, HeaderMap, ORIGIN},
        uri::Authority,
    },
};

use crate::{config::RedirectUri, problem::Problem};

/// Paths that load balancers ask for by IP address, or without a name. Their answers say nothing about
/// anybody, so a page that reached them by DNS rebinding would learn nothing.
const PROBES: &[&str] = &["/healthz", "/readyz"];

/// The answer to a request that must not reach its route; `None` lets it through.
///
/// # Hosts
///
/// Served are names of this machine, with any port, and the redirect URI's host and port. Any other name
/// is answered 421: it would be a page of another site whose name was pointed here (DNS rebinding). A
/// missing, repeated or malformed `Host` is answered 400. Probes may also name an IP address, or none.
///
/// # Forms
///
/// A `POST` from another site is answered 403 and touches no cookie. `Sec-Fetch-Site` says where it came
/// from; `Origin` is asked where that is absent. A client that sends neither is no current browser, and
/// the form's token decides.
pub(crate) fn refusal(
    request: &ServiceRequest,
    redirect_uri: &RedirectUri,
) -> Option<HttpResponse> {
    match named_host(request) {
        Named::Nothing if PROBES.contains(&request.path()) => None,
        Named::Nothing | Named::Malformed => Some(bad_host(StatusCode::BAD_REQUEST)),
        Named::Host(host) if serves(&host, request.path(), redirect_uri) => {
            let foreign = *request.method() == Method::POST
                && !from_own_page(request.headers(), &host, redirect_uri);
            foreign.then(|| Problem::foreign_form().error_response())
        }
        Named::Host(_) => Some(bad_host(StatusCode::MISDIRECTED_REQUEST)),
    }
}

/// What a request says about the host it was sent to.
enum Named {
    Nothing,
    Malformed,
    Host(Authority),
}

/// The one host of a request. A request target in absolute form names it a second time, and must agree.
fn named_host(request: &ServiceRequest) -> Named {
    let in_target = request.uri().authority();
    let in_target = in_target.map(|named| authority(named.as_str().as_bytes()));
    let in_headers = request
        .headers()
        .get_all(HOST)
        .map(|host| authority(host.as_bytes()));
    let mut named = in_target.into_iter().chain(in_headers);
    let Some(first) = named.next() else {
        return Named::Nothing;
    };
    let repeated = request.headers().get_all(HOST).count() > 1;
    match first {
        Ok(host) if !repeated && named.all(|other| other.is_ok_and(|other| other == host)) => {
            Named::Host(host)
        }
        Ok(_) | Err(_) => Named::Malformed,
    }
}

/// A host with or without a port, and nothing else: no user name.
fn authority(text: &[u8]) -> Result<Authority, ()> {
    let authority = Authority::try_from(text).map_err(|_| ())?;
    let plain = !authority.host().is_empty() && !authority.as_str().contains('@');
    plain.then_some(authority).ok_or(())
}

fn serves(host: &Authority, path: &str, redirect_uri: &RedirectUri) -> bool {
    let probed = PROBES.contains(&path) && is_ip_address(host.host());
    probed || is_loopback(host.host()) || is_registered(host, redirect_uri)
}

/// Whether `host` is the redirect URI's, where the port of its scheme may be spelled out.
fn is_registered(host: &Authority, redirect_uri: &RedirectUri) -> bool {
    let port = if redirect_uri.is_https() {
        ":443"
    } else {
        ":80"
    };
    let host = host.as_str();
    let host = host.strip_suffix(port).unwrap_or(host);
    host.eq_ignore_ascii_case(redirect_uri.authority())
}

/// Whether `name` is a name of this machine that no name server decides about.
pub(crate) fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || ip_address(name).is_some_and(|ip| ip.is_loopback())
}

fn is_ip_address(name: &str) -> bool {
    ip_address(name).is_some()
}

fn ip_address(name: &str) -> Option<std::net::IpAddr> {
    let bracketed = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    match bracketed {
        Some(name) => name.parse().ok().map(std::net::IpAddr::V6),
        None => name.parse().ok().map(std::net::IpAddr::V4),
    }
}

/// Whether browsers say that the form was sent by a page of this application.
fn from_own_page(headers: &HeaderMap, host: &Authority, redirect_uri: &RedirectUri) -> bool {
    if headers.contains_key("sec-fetch-site") {
        return headers
            .get_all("sec-fetch-site")
            .all(|site| site == "same-origin");
    }
    // Without TLS only names of this machine are served, by whatever port reaches this process.
    let local = format!("http://{host}");
    headers.get_all(ORIGIN).all(|origin| {
        origin == redirect_uri.origin().as_str()
            || (!redirect_uri.is_https()
                && origin.as_bytes().eq_ignore_ascii_case(local.as_bytes()))
    })
}

/// A plain answer: what a page would link to is not served under that name either.
pub(crate) fn bad_host(status: StatusCode) -> HttpResponse {
    HttpResponse::build(status)
        .content_type(ContentType::plaintext())
        .body(
            "This application is not served under the host name of this request.\n\
             Operators: it is served under the host of RC_REDIRECT_URI; see rc-web --help.\n",
        )
}
