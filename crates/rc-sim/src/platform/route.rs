//! What a request is for, and whose it says it is.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header::AUTHORIZATION};

use crate::{
    fault::Target, form::Params, oauth::client_auth, platform::journal::EventKind, sign_in::pages,
};

/// What a request is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Route {
    Authorize,
    SignIn,
    Consent,
    Stylesheet,
    Token,
    Revoke,
    /// Documents that anybody may read.
    Discovery,
    UserInfo,
    Resource,
    Nothing,
}

impl Route {
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        match (method.as_str(), path) {
            ("GET" | "POST", "/restapi/oauth/authorize") => Self::Authorize,
            ("GET" | "POST", pages::SIGN_IN_PATH) => Self::SignIn,
            ("POST", pages::CONSENT_PATH) => Self::Consent,
            // A consent page that is opened by its address starts at the sign-in.
            ("GET", pages::CONSENT_PATH) => Self::SignIn,
            ("GET", pages::STYLESHEET_PATH) => Self::Stylesheet,
            ("POST", "/restapi/oauth/token") => Self::Token,
            ("POST", "/restapi/oauth/revoke") => Self::Revoke,
            ("GET", "/restapi/oauth/jwks") => Self::Discovery,
            ("GET", path) if path.starts_with("/.well-known/") => Self::Discovery,
            ("GET" | "POST", "/restapi/oauth/userinfo") => Self::UserInfo,
            (_, path) if path.starts_with("/restapi/oauth/") => Self::Nothing,
            (_, path) if path == "/restapi" || path.starts_with("/restapi/") => Self::Resource,
            _ => Self::Nothing,
        }
    }

    pub(crate) fn fault_target(self) -> Option<Target> {
        match self {
            Self::Token => Some(Target::Token),
            Self::Revoke => Some(Target::Revoke),
            Self::Resource | Self::UserInfo => Some(Target::Api),
            Self::Discovery => Some(Target::Discovery),
            Self::Authorize => Some(Target::Authorize),
            Self::SignIn | Self::Consent | Self::Stylesheet | Self::Nothing => None,
        }
    }

    pub(crate) fn event_kind(self) -> EventKind {
        match self {
            Self::Authorize => EventKind::Authorize,
            Self::SignIn | Self::Consent => EventKind::SignIn,
            Self::Token => EventKind::Token,
            Self::Revoke => EventKind::Revoke,
            Self::Discovery => EventKind::Discovery,
            Self::Resource | Self::UserInfo => EventKind::Api,
            Self::Stylesheet | Self::Nothing => EventKind::Other,
        }
    }
}

/// The access token of the header, whatever it is worth.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// What a request says of itself before anything of it is checked.
pub(crate) struct Claims<'a> {
    pub(crate) client_id: Option<String>,
    pub(crate) grant_type: Option<String>,
    /// The parameters of a form that the OAuth endpoints take.
    pub(crate) form: Params<'a>,
}

impl<'a> Claims<'a> {
    pub(crate) fn of(route: Route, request: &'a Request<Bytes>) -> Self {
        let query = || Params::parse(request.uri().query().unwrap_or_default().as_bytes());
        let text = |params: &Params<'_>, name: &str| params.first(name).map(str::to_owned);
        let form = match route {
            Route::Token | Route::Revoke => Params::parse(request.body()),
            _ => Params::default(),
        };
        let (client_id, grant_type) = match route {
            Route::Token | Route::Revoke => {
                let client_id = client_auth::claimed(request.headers(), &form);
                (client_id, text(&form, "grant_type"))
            }
            Route::Authorize if request.method() == Method::POST => {
                (text(&Params::parse(request.body()), "client_id"), None)
            }
            Route::Authorize | Route::SignIn | Route::Consent => {
                (text(&query(), "client_id"), None)
            }
            // Platform §1: the entry points take `clientId`.
            Route::Discovery => (text(&query(), "clientId"), None),
            Route::Stylesheet | Route::UserInfo | Route::Resource | Route::Nothing => (None, None),
        };
        Self {
            client_id,
            grant_type,
            form,
        }
    }
}
