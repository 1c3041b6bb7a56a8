//! The pages a browser sees: plain HTML that works without JavaScript.

use askama::Template;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::ACCEPT};
use url::Url;

use crate::{
    config::{Config, User},
    oauth::{authorize::AuthorizationRequest, error::OauthError},
    reply,
    sign_in::brands,
    switches::SignInPages,
};

pub(crate) const SIGN_IN_PATH: &str = "/login";
pub(crate) const CONSENT_PATH: &str = "/login/consent";
pub(crate) const STYLESHEET_PATH: &str = "/login/pages.css";

/// What to tell somebody who sees the sign-in page again.
pub(crate) enum SignInNote<'a> {
    None,
    /// The second of two pages.
    Password {
        login: &'a str,
    },
    WrongCredentials {
        login: &'a str,
    },
    TooLate,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    stylesheet: &'static str,
    app: &'a str,
    action: String,
    login: &'a str,
    password: &'a str,
    problem: Option<&'static str>,
    /// What this page asks for.
    asks: Asks,
    /// Shown when it is not the default.
    brand: Option<&'static str>,
    users: &'a [User],
}

/// What a sign-in page asks for.
#[derive(Clone, Copy, PartialEq)]
enum Asks {
    Both,
    Login,
    Password,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'a> {
    stylesheet: &'static str,
    app: &'a str,
    action: String,
    ticket: &'a str,
    user: String,
    login: &'a str,
    permissions: Vec<Permission<'a>>,
    return_to: String,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Refusal<'a> {
    stylesheet: &'static str,
    code: &'static str,
    error: &'static str,
    description: &'a str,
    advice: &'static str,
    /// Why the application hears nothing of it.
    silence: &'static str,
}

struct Permission<'a> {
    name: &'a str,
    meaning: &'static str,
}

pub(crate) fn sign_in(
    config: &Config,
    authorization: &AuthorizationRequest,
    query: &str,
    note: SignInNote<'_>,
) -> Response<Bytes> {
    let prefill = config.switches.prefill_sign_in;
    let demo = config.demo_user().filter(|_| prefill);
    let hint = authorization.login_hint.as_deref();
    let asks = match (config.switches.sign_in_pages, &note) {
        (SignInPages::One, _) => Asks::Both,
        (SignInPages::Two, SignInNote::Password { .. }) => Asks::Password,
        (SignInPages::Two, _) => Asks::Login,
    };
    let (status, login, problem) = match note {
        SignInNote::None => (StatusCode::OK, hint, None),
        SignInNote::Password { login } => (StatusCode::OK, Some(login), None),
        SignInNote::WrongCredentials { login } => (
            StatusCode::BAD_REQUEST,
            Some(login),
            Some("This login and password do not match."),
        ),
        SignInNote::TooLate => (
            StatusCode::BAD_REQUEST,
            hint,
            Some("The page was open for too long. Sign in again."),
        ),
    };
    let login = login
        .or(demo.map(|user| user.login.as_str()))
        .unwrap_or_default();
    let known = config
        .users
        .iter()
        .find(|user| user.login.eq_ignore_ascii_case(login));
    let page = SignIn {
        stylesheet: STYLESHEET_PATH,
        app: &authorization.app.name,
        action: format!("{SIGN_IN_PATH}?{query}"),
        login,
        password: known
            .filter(|_| prefill && problem.is_none())
            .map_or("", |user| user.password()),
        problem,
        asks,
        brand: (*authorization.brand != *brands::default_brand())
            .then_some(authorization.brand.name),
        users: if prefill { &config.users } else { &[] },
    };
    html(status, &page, &form_targets(authorization))
}

pub(crate) fn consent(
    authorization: &AuthorizationRequest,
    query: &str,
    user: &User,
    ticket: &str,
) -> Response<Bytes> {
    let permissions = authorization
        .scope
        .split_ascii_whitespace()
        .map(|name| Permission {
            name,
            meaning: meaning(name),
        })
        .collect();
    let page = Consent {
        stylesheet: STYLESHEET_PATH,
        app: &authorization.app.name,
        action: format!("{CONSENT_PATH}?{query}"),
        ticket,
        user: user.name(),
        login: &user.login,
        permissions,
        return_to: origin(&authorization.target.uri),
    };
    html(StatusCode::OK, &page, &form_targets(authorization))
}

pub(crate) fn refusal(status: StatusCode, error: &OauthError) -> Response<Bytes> {
    let page = Refusal {
        stylesheet: STYLESHEET_PATH,
        code: error.id(),
        error: error.error(),
        description: error.description(),
        advice: match error.id() {
            "OAU-109" => {
                "The redirect_uri of the request has to equal one of the app's registered redirect URIs byte for byte. Compare scheme, host, port, path and a trailing slash."
            }
            "OAU-113" => "Register a redirect URI for the app, then try again.",
            "OAU-153" => {
                "Compare the client id of the request with the one this platform printed when it started."
            }
            "OAU-101" => "Leave brand_id out, or send one of RingCentral's brands, such as 1210.",
            "OAU-141" => "The extension is disabled. Go back and sign in as another user.",
            "OAU-142" => "The account is disabled. Nobody of it can sign in.",
            "CMN-408" => {
                "The user's role does not allow third-party apps. Go back and sign in as another user."
            }
            _ => {
                "The address that led here is not one that an application should make. Start again from the application."
            }
        },
        silence: match error.id() {
            "OAU-141" | "OAU-142" | "CMN-408" => "Nothing was sent to the application.",
            _ => {
                "Nothing was sent to the application, because the address to return to cannot be trusted."
            }
        },
    };
    html(status, &page, "'none'")
}

/// Whether a person is looking, rather than a program.
pub(crate) fn wants_html(request: &Request<Bytes>) -> bool {
    let accepted = request
        .headers()
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    accepted.is_some_and(|accept| accept.contains("text/html"))
}

/// Browsers hold `form-action` against every redirect that follows a form, so it has to name where the
/// app's answer goes, and an app under development often redirects on to another local port.
fn form_targets(authorization: &AuthorizationRequest) -> String {
    let mut targets = vec!["'self'".to_owned()];
    for uri in &authorization.app.redirect_uris {
        let target = origin(uri);
        if !target.is_empty() && !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets.extend(["http://localhost:*", "http://127.0.0.1:*"].map(String::from));
    targets.join(" ")
}

/// Scheme, host and port; only `scheme:` for the custom schemes of apps; empty for what is no URI.
fn origin(uri: &str) -> String {
    let Ok(uri) = Url::parse(uri) else {
        return String::new();
    };
    if uri.origin().is_tuple() {
        uri.origin().ascii_serialization()
    } else {
        format!("{}:", uri.scheme())
    }
}

fn meaning(permission: &str) -> &'static str {
    match permission {
        "ReadAccounts" => "See your account, your extension and your phone numbers",
        "ReadCallLog" => "See your calls",
        "ReadMessages" => "Read your messages",
        "ReadPresence" => "See whether you are available",
        "RingOut" => "Make calls for you",
        "SMS" => "Send and receive text messages for you",
        _ => "Use this permission for you",
    }
}

fn html(status: StatusCode, page: &impl Template, form_targets: &str) -> Response<Bytes> {
    let body = match page.render() {
        Ok(body) => body,
        Err(error) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return reply::text(status, "text/plain;charset=utf-8", error.to_string());
        }
    };
    let mut response = reply::no_store(reply::text(status, "text/html;charset=utf-8", body));
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action {form_targets}; base-uri 'none'; frame-ancestors 'none'"
    );
    reply::header(&mut response, "content-security-policy", &policy);
    reply::header(&mut response, "referrer-policy", "no-referrer");
    reply::header(&mut response, "x-content-type-options", "nosniff");
    reply::header(&mut response, "x-frame-options", "DENY");
    response
}
