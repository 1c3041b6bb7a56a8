//! One request that was let through.

use std::{net::IpAddr, sync::Arc};

use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, COOKIE, FORWARDED, HOST, ORIGIN},
    request::Parts,
};
use tokio::sync::OnceCell;

use super::{
    Answer, Problem,
    page::{self, add_retry_after, see_other},
};
use crate::{LocalPath, Session, WebAuth};

/// The headers of a request that this crate looks at. No others are copied.
pub(crate) const LOOKED_AT: [HeaderName; 9] = [
    ACCEPT,
    CONTENT_TYPE,
    COOKIE,
    FORWARDED,
    HOST,
    ORIGIN,
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("x-forwarded-for"),
    http::header::USER_AGENT,
];

/// What is said where the address of a browser is not known. One address for all would be one limit for all:
/// anybody could use it up.
const NO_ADDRESS: &str = "this server does not know the addresses of its browsers, and serves nothing \
    without; operators:";

/// One request, as the middleware has let it through and put it beside the request. Its session is looked up
/// once, and only if somebody asks.
#[derive(Clone, Debug)]
pub(crate) struct Visit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    auth: WebAuth,
    request: Parts,
    from: IpAddr,
    session: OnceCell<Option<Arc<Session>>>,
}

impl Visit {
    /// Lets a request through, or says what to answer. `no_address` says what to do where `peer` is missing.
    pub(crate) fn begin(
        auth: &WebAuth,
        request: Parts,
        peer: Option<IpAddr>,
        no_address: &str,
    ) -> Result<Self, Box<Answer>> {
        if let Err(rejection) = auth.check_request(&request) {
            let answer = page::plain(rejection.status(), &rejection.to_string());
            return Err(Box::new(answer));
        }
        let Ok(from) = auth.client_address(peer, &request.headers) else {
            let text = format!("{NO_ADDRESS} {no_address}");
            tracing::error!("{text}");
            let answer = page::plain(StatusCode::INTERNAL_SERVER_ERROR, &text);
            return Err(Box::new(answer));
        };
        Ok(Self(Arc::new(Inner {
            auth: auth.clone(),
            request,
            from,
            session: OnceCell::new(),
        })))
    }

    pub(crate) fn auth(&self) -> &WebAuth {
        &self.0.auth
    }

    pub(crate) fn request(&self) -> &Parts {
        &self.0.request
    }

    /// The address of the browser.
    pub(crate) fn from(&self) -> IpAddr {
        self.0.from
    }

    /// The session, if its browser is signed in.
    pub(crate) async fn session(&self) -> Result<Option<Arc<Session>>, Problem> {
        let find = async || {
            let found = self.auth().session(&self.request().headers).await?;
            Ok(found.map(Arc::new))
        };
        self.0.session.get_or_try_init(find).await.cloned()
    }

    /// The `Set-Cookie` value for the answer, if the session was asked for and prolonged.
    pub(crate) fn reissue(&self) -> Option<&HeaderValue> {
        self.0.session.get()?.as_ref()?.reissue()
    }

    /// Whether this `Set-Cookie` value decides about the session already: it was ended or begun.
    pub(crate) fn is_session_cookie(&self, set_cookie: &[u8]) -> bool {
        let name = self.auth().inner.cookies.session_name().as_bytes();
        set_cookie
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(b"="))
    }

    /// What a problem looks like to whoever sent this request.
    pub(crate) fn answer(&self, problem: &Problem) -> Answer {
        let status = problem.status();
        if status.is_server_error() {
            tracing::warn!(%problem, "a request could not be served");
        }
        let page = self.accepts_pages();
        let mut answer =
            if problem.is_sign_in_needed() && page && self.request().method == Method::GET {
                return self.to_sign_in();
            } else if page && !problem.is_sign_in_needed() {
                let home = self.auth().paths().home.as_str();
                page::page(
                    status,
                    problem.title(),
                    &problem.to_string(),
                    &page::link(home, "Back"),
                )
            } else {
                problem.json()
            };
        if let Some(until) = problem.retry_at() {
            let left = until.saturating_since(self.auth().now());
            add_retry_after(&mut answer, left);
        }
        answer
    }

    fn to_sign_in(&self) -> Answer {
        let paths = self.auth().paths();
        let here = self.request().uri.path_and_query();
        let here = here.and_then(|here| LocalPath::parse(here.as_str()));
        let there = self.auth().to_sign_in(here.as_ref().unwrap_or(&paths.home));
        see_other(&there)
    }

    fn accepts_pages(&self) -> bool {
        let accepted = self.request().headers.get_all(ACCEPT).into_iter();
        let mut accepted = accepted.filter_map(|value| value.to_str().ok());
        accepted.any(|value| value.contains("text/html"))
    }
}
