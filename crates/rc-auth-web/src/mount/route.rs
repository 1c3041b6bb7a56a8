//! The routes of signing in and out.

use http::{
    HeaderValue, Method, StatusCode,
    header::{ALLOW, SET_COOKIE},
};

use super::{
    Answer, Problem, Visit,
    page::{add_retry_after, form, link, page, plain, see_other},
};
use crate::{Begun, FinishError, SignOutOutcome, WebAuth};

/// A route that the adapters mount.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route {
    SignIn,
    Callback,
    SignOut,
}

impl Route {
    pub(crate) const ALL: [Self; 3] = [Self::SignIn, Self::Callback, Self::SignOut];

    /// Where it is mounted.
    pub(crate) fn path(self, auth: &WebAuth) -> &str {
        let path = match self {
            Self::SignIn => auth.paths().sign_in.as_str(),
            Self::Callback => auth.callback_path(),
            Self::SignOut => auth.paths().sign_out.as_str(),
        };
        path.split('?').next().unwrap_or(path)
    }

    /// Whether it reads the body of this request.
    pub(crate) fn reads(self, method: &Method) -> bool {
        matches!(self, Self::SignOut) && method == Method::POST
    }

    /// Serves a request. `body` is at most [`MAX_FORM`](crate::MAX_FORM) bytes, and empty if there were more:
    /// then it is no form of this application.
    pub(crate) async fn serve(self, visit: Option<&Visit>, body: &[u8]) -> Answer {
        let Some(visit) = visit else {
            let problem = Problem::no_middleware();
            tracing::error!("{problem}");
            return plain(problem.status(), &problem.to_string());
        };
        match (self, visit.request().method.as_str()) {
            (Self::SignIn, "GET") => begin(visit),
            (Self::Callback, "GET") => finish(visit).await,
            (Self::SignOut, "GET") => ask(visit).await,
            (Self::SignOut, "POST") => sign_out(visit, body).await,
            (Self::SignIn | Self::Callback, _) => not_allowed("GET"),
            (Self::SignOut, _) => not_allowed("GET, POST"),
        }
    }
}

fn begin(visit: &Visit) -> Answer {
    match visit.auth().begin_sign_in(visit.request()) {
        Ok(Begun::ToPlatform(answer) | Begun::ToOwnName(answer)) => answer.map(|()| String::new()),
        Ok(Begun::FromAnotherSite { again }) => {
            let text = "another site led here. Go on if you want to sign in";
            page(StatusCode::OK, "Sign in?", text, &link(&again, "Sign in"))
        }
        Err(error) => {
            tracing::error!(%error, "a sign-in could not be started");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            page(status, "Not signed in", &error.to_string(), &again(visit))
        }
    }
}

async fn finish(visit: &Visit) -> Answer {
    let finished = visit.auth().finish_sign_in(visit.request(), visit.from());
    match finished.await {
        Ok(finished) => finished.into_response().map(|()| String::new()),
        Err(error) => not_finished(visit, &error),
    }
}

fn not_finished(visit: &Visit, error: &FinishError) -> Answer {
    let status = error.status();
    if status.is_server_error() {
        tracing::warn!(%error, "a sign-in could not be finished");
    }
    let mut answer = page(status, "Not signed in", &error.to_string(), &again(visit));
    if let Some(after) = error.retry_after() {
        add_retry_after(&mut answer, after);
    }
    answer
}

/// The page with the button: a link alone must not sign anybody out.
async fn ask(visit: &Visit) -> Answer {
    match visit.session().await {
        Ok(Some(session)) => {
            let path = visit.auth().paths().sign_out.as_str();
            let button = form(path, session.form_token().as_str(), "Sign out");
            let text = "this ends the access of this application to your account";
            page(StatusCode::OK, "Sign out?", text, &button)
        }
        Ok(None) => home(visit),
        Err(problem) => visit.answer(&problem),
    }
}

async fn sign_out(visit: &Visit, body: &[u8]) -> Answer {
    let session = match visit.session().await {
        Ok(Some(session)) => session,
        Ok(None) => return home(visit),
        Err(problem) => return visit.answer(&problem),
    };
    let headers = &visit.request().headers;
    if let Err(foreign) = session.check_form(headers, body) {
        let path = visit.auth().paths().sign_out.as_str();
        let again = link(path, "Sign out");
        return page(
            StatusCode::FORBIDDEN,
            "Not signed out",
            &foreign.to_string(),
            &again,
        );
    }
    let done = visit.auth().sign_out(&session).await;
    let mut answer = match done.outcome {
        SignOutOutcome::BrowserOnly(_) => {
            let text = "signed out in this browser only: the application may still have access to your account. \
                        Sign in and out again to end it";
            page(StatusCode::OK, "Signed out here", text, &again(visit))
        }
        _ => home(visit),
    };
    answer.headers_mut().append(SET_COOKIE, done.set_cookie);
    answer
}

fn again(visit: &Visit) -> String {
    let auth = visit.auth();
    link(&auth.to_sign_in(&auth.paths().home), "Sign in again")
}

fn home(visit: &Visit) -> Answer {
    see_other(visit.auth().paths().home.as_str())
}

fn not_allowed(allowed: &'static str) -> Answer {
    let mut answer = plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not served here",
    );
    let allowed = HeaderValue::from_static(allowed);
    answer.headers_mut().insert(ALLOW, allowed);
    answer
}
