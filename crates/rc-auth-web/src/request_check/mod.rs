//! Which requests are looked at: by the host name they were sent to, and by the site a form came from.
//!
//! Both are checked before routing, so that no route can forget them.

use http::{
    HeaderMap, Method, StatusCode,
    header::{HOST, ORIGIN},
    request::Parts,
    uri::Authority,
};

use crate::redirect_uri::RedirectUri;

/// Why a request must not reach its route.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// `Host` is missing, repeated or malformed. Answer 400.
    #[error("the request does not say which host it is for, or says it twice")]
    BadHost,
    /// The host name is not this application's: a page of another site whose name was pointed here (DNS
    /// rebinding), or a proxy that replaces `Host`. Answer 421, in plain words and without links.
    #[error(
        "this application is not served under the host name of this request; operators: it is served \
         under the host of its redirect URI, and a proxy in front has to pass `Host` on"
    )]
    OtherHost,
    /// A page of another site sent this form. Answer 403, and touch no cookie.
    #[error("the form was not sent by a page of this application; open the page again and repeat")]
    ForeignForm,
}

impl Rejection {
    /// The status to answer with.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadHost => StatusCode::BAD_REQUEST,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Self::ForeignForm => StatusCode::FORBIDDEN,
        }
    }
}

/// Lets the request through or says why not; see [`WebAuth::check_request`](crate::WebAuth::check_request).
pub(crate) fn check(
    request: &Parts,
    redirect_uri: &RedirectUri,
    probes: &[String],
) -> Result<(), Rejection> {
    let path = request.uri.path();
    let probed = probes.iter().any(|probe| probe == path);
    match named_host(request) {
        Named::Nothing if probed => Ok(()),
        Named::Nothing | Named::Malformed => Err(Rejection::BadHost),
        Named::Host(host) if serves(&host, probed, redirect_uri) => {
            let foreign = request.method == Method::POST
                && !from_own_page(&request.headers, &host, redirect_uri);
            if foreign {
                Err(Rejection::ForeignForm)
            } else {
                Ok(())
            }
        }
        Named::Host(_) => Err(Rejection::OtherHost),
    }
}

/// What a request says about the host it was sent to.
pub(crate) enum Named {
    Nothing,
    Malformed,
    Host(Authority),
}

/// The one host of a request. A request target in absolute form names it a second time, and must agree.
pub(crate) fn named_host(request: &Parts) -> Named {
    let in_target = request.uri.authority();
    let in_target = in_target.map(|named| authority(named.as_str().as_bytes()));
    let in_headers = request
        .headers
        .get_all(HOST)
        .into_iter()
        .map(|host| authority(host.as_bytes()));
    let mut named = in_target.into_iter().chain(in_headers);
    let Some(first) = named.next() else {
        return Named::Nothing;
    };
    let repeated = request.headers.get_all(HOST).iter().count() > 1;
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

fn serves(host: &Authority, probed: bool, redirect_uri: &RedirectUri) -> bool {
    let name = host.host();
    (probed && ip_address(name).is_some()) || is_loopback(name) || is_registered(host, redirect_uri)
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
fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || ip_address(name).is_some_and(|ip| ip.is_loopback())
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
        let mut sites = headers.get_all("sec-fetch-site").into_iter();
        return sites.all(|site| site == "same-origin");
    }
    // Without TLS only names of this machine are served, by whatever port reaches this process.
    let local = format!("http://{host}");
    headers.get_all(ORIGIN).into_iter().all(|origin| {
        origin == redirect_uri.origin()
            || (!redirect_uri.is_https()
                && origin.as_bytes().eq_ignore_ascii_case(local.as_bytes()))
    })
}

/// Whether the browser says that another site led to this request. Other names of the same site
/// (`same-site`) may start a sign-in: they belong to the same organization, whose pages link here. A browser
/// or program that says nothing may too.
pub(crate) fn is_from_another_site(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").into_iter();
    sites.any(|site| site == "cross-site")
}

#[cfg(test)]
mod tests;
