//! `GET /` and `GET /call`: the pages people look at.

use actix_web::{HttpRequest, HttpResponse, http::header::LOCATION};
use rc_auth::{EndReason, Grant, GrantError};
use serde_json::Value;

use crate::{
    converted,
    pages::{self, Answer, Dashboard, Notice, Person, SignedOut},
    problem::{self, Problem},
    session,
    state::{Application, CALL_PATIENCE, EXTENSION, PAGE_PATIENCE},
};

/// The start page: the button to sign in, or the dashboard.
pub(super) async fn home(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let Some(session) = session::of(&request).await? else {
        let parts = converted::parts_of(&request);
        if let Some(origin) = application.auth().origin_to_start_at(&parts) {
            return Ok(HttpResponse::Found()
                .insert_header((LOCATION, format!("{origin}/")))
                .finish());
        }
        return Ok(start_page(application, signed_out(&request)));
    };
    session.grant().note_use();
    let mut page = Dashboard::new(session.form_token());
    page.notices.extend(what_was_done(&request));
    let listed = application.within(PAGE_PATIENCE, session.grant().sign_ins());
    // A list that does not come in time, or at all, leaves the page without it.
    if let Some(Ok(listed)) = listed.await {
        page.sign_ins = pages::sign_ins(listed, application.now());
    }
    show(application, session.grant(), page).await
}

fn what_was_done(request: &HttpRequest) -> Option<Notice> {
    if done(request, "refresh-begun") {
        return Some(Notice::good(
            "The refresh has begun.",
            "It goes on in the background; reload this page to see the new pair of tokens.",
        ));
    }
    if done(request, "sign-in-ended") {
        return Some(Notice::good(
            "The sign-in has ended.",
            "That browser is signed out.",
        ));
    }
    if done(request, "sign-in-unknown") {
        let text = "It may have ended meanwhile. The list below is as it is now.";
        return Some(Notice::warning("There is no such sign-in.", text));
    }
    done(request, "refresh")
        .then(|| Notice::good("Refreshed.", "RingCentral gave out a new pair of tokens."))
}

/// The dashboard with the answer of an API call.
pub(super) async fn call(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let session = session::of(&request).await?;
    let session = session.ok_or_else(Problem::signed_out)?;
    let grant = session.grant();
    let call = application.within(CALL_PATIENCE, grant.get(EXTENSION).send());
    let answer = call.await.ok_or_else(Problem::slow_platform)??;
    let json: Value = answer.json()?;
    let answer = Answer {
        path: EXTENSION,
        status: answer.status.as_u16(),
        json: format!("{json:#}"),
    };
    let mut page = Dashboard::new(session.form_token());
    page.person = serde_json::from_value::<Person>(json).ok();
    page.answer = Some(answer);
    show(application, grant, page).await
}

/// Fills in what is stored of the grant. Waits for the store for a moment, never for the platform.
async fn show(
    application: &Application,
    grant: &Grant,
    mut page: Dashboard,
) -> Result<HttpResponse, Problem> {
    let status = match application.within(PAGE_PATIENCE, grant.status()).await {
        Some(Err(GrantError::SignInAgain { reason })) => {
            return Ok(start_page(application, Some(ended(application, reason))));
        }
        Some(status) => status?,
        None => {
            page.notices.push(Notice::warning(
                "The database is slow.",
                "What is known of this sign-in could not be read in time. Reload this page.",
            ));
            return Ok(pages::answer(&mut HttpResponse::Ok(), &page));
        }
    };
    if page.person.is_none() {
        page.person = status.person.clone().map(Person::from);
    }
    if status.person.is_none() {
        drop(application.find_out_who(grant));
    }
    let state = pages::Grant::new(status, application.now());
    page.notices.extend(state.refresh_tokens_off());
    page.grant = Some(state);
    Ok(pages::answer(&mut HttpResponse::Ok(), &page))
}

fn start_page(application: &Application, notice: Option<Notice>) -> HttpResponse {
    start_page_for(application, notice, "/login".to_owned())
}

/// The start page whose button leads to `sign_in`.
pub(super) fn start_page_for(
    application: &Application,
    notice: Option<Notice>,
    sign_in: String,
) -> HttpResponse {
    let platform = application.platform();
    let page = SignedOut {
        notice,
        demo: platform.simulated,
        platform: &platform.host,
        sign_in,
    };
    pages::answer(&mut HttpResponse::Ok(), &page)
}

fn signed_out(request: &HttpRequest) -> Option<Notice> {
    if done(request, "sign-out-here") {
        let text = "The database did not answer, so the sign-in could not be ended at RingCentral. It \
            ends there by itself, or when you end it in your RingCentral account.";
        return Some(Notice::warning(
            "You are signed out in this browser only.",
            text,
        ));
    }
    if done(request, "sign-out-begun") {
        let text = "You are signed out in this browser. The database has not answered yet, so the sign-in may \
            still be used elsewhere; ending it is tried until the database answers.";
        return Some(Notice::warning("Signing out takes longer.", text));
    }
    if done(request, "sign-out-everywhere") {
        let text = "All your sign-ins to this application have ended, in every browser.";
        return Some(Notice::good("You are signed out everywhere.", text));
    }
    if done(request, "sign-out-partly") {
        let text =
            "Some of your other sign-ins could not be ended. Sign in and try again in a while.";
        return Some(Notice::warning("You are signed out here.", text));
    }
    if done(request, "sign-out-pending") {
        let text = "You are signed out here and everywhere this sign-in was used. RingCentral has not \
            confirmed yet that it ended the sign-in; it is asked again until it has.";
        return Some(Notice::good("You are signed out.", text));
    }
    done(request, "sign-out").then(|| Notice::good("You are signed out.", "The sign-in has ended."))
}

/// The session's cookie stays: another tab may just have replaced it, and it opens nothing.
fn ended(application: &Application, reason: EndReason) -> Notice {
    let restart = if application.platform().simulated {
        " The simulated platform keeps its sign-ins in rc-sim.state, beside the database; without that file it knows nobody."
    } else {
        ""
    };
    Notice::warning(
        "Please sign in again.",
        format!("{}{restart}", problem::ended(reason)),
    )
}

/// What a form did before it led here. Anybody can write this into a link, so it chooses a sentence only.
fn done(request: &HttpRequest, what: &str) -> bool {
    request.query_string().strip_prefix("done=") == Some(what)
}
