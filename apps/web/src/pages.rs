//! The pages: what each of them shows, and how it becomes an answer.

use actix_web::{HttpResponse, HttpResponseBuilder, http::header::ContentType};
use askama::Template;
use rc_auth::{Activity, GrantStatus, SignInEntry, Timestamp};
use rc_auth_web::FormToken;
use serde::Deserialize;

use crate::moment::Moment;

/// A line above the content.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// Whether it is about something that needs attention.
    pub warning: bool,
    /// The sentence in bold.
    pub title: String,
    /// The rest.
    pub text: String,
}

impl Notice {
    /// Something went as it should.
    pub(crate) fn good(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            warning: false,
            title: title.into(),
            text: text.into(),
        }
    }

    /// Something needs attention.
    pub(crate) fn warning(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            warning: true,
            title: title.into(),
            text: text.into(),
        }
    }
}

/// The start page of somebody who is not signed in.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub(crate) struct SignedOut<'a> {
    /// What just happened.
    pub notice: Option<Notice>,
    /// Whether the platform is the simulated one.
    pub demo: bool,
    /// Host of the platform.
    pub platform: &'a str,
    /// Where the button leads.
    pub sign_in: String,
}

/// The start page of somebody who is signed in.
#[derive(Debug, Template)]
#[template(path = "dashboard.html")]
pub(crate) struct Dashboard {
    /// What just happened, and what to know.
    pub notices: Vec<Notice>,
    /// Who is signed in, if the platform could be asked.
    pub person: Option<Person>,
    /// The state of the grant.
    pub grant: Option<Grant>,
    /// The secret of this session's forms.
    pub form_token: FormToken,
    /// Where the person is signed in, this browser first. Left out where it is this browser only.
    pub sign_ins: Vec<SignIn>,
    /// The answer to "call the API".
    pub answer: Option<Answer>,
}

impl Dashboard {
    /// One that shows nothing yet.
    pub(crate) const fn new(form_token: FormToken) -> Self {
        Self {
            notices: Vec::new(),
            person: None,
            grant: None,
            form_token,
            sign_ins: Vec::new(),
            answer: None,
        }
    }
}

/// The question before signing out.
#[derive(Debug, Template)]
#[template(path = "sign_out.html")]
pub(crate) struct SignOut {
    /// The secret of this session's forms; `None` when there is no session.
    pub form_token: Option<FormToken>,
}

/// A call and its answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What was asked for.
    pub path: &'static str,
    /// The platform's status.
    pub status: u16,
    /// The body, indented.
    pub json: String,
}

/// The parts of `~/extension/~` that the dashboard shows. Other servers may send none of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Person {
    /// Full name.
    pub name: Option<String>,
    /// Extension number.
    pub extension_number: Option<String>,
    /// How to reach the person.
    pub contact: Contact,
}

impl From<Person> for rc_auth::Person {
    fn from(person: Person) -> Self {
        Self {
            name: person.name,
            extension_number: person.extension_number,
            ..Self::default()
        }
    }
}

/// As it was written down; without the parts that are not.
impl From<rc_auth::Person> for Person {
    fn from(written: rc_auth::Person) -> Self {
        Self {
            name: written.name,
            extension_number: written.extension_number,
            contact: Contact::default(),
        }
    }
}

/// Part of [`Person`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Contact {
    /// Mail address.
    pub email: Option<String>,
    /// Company.
    pub company: Option<String>,
}

/// One of the places where a person is signed in.
#[derive(Debug)]
pub(crate) struct SignIn {
    label: String,
    is_this: bool,
    /// Names it in a form: its moment in milliseconds.
    made_at: i64,
    since: Moment,
    last_used: Option<Moment>,
}

/// The list for the dashboard; empty where there is nothing but this browser.
pub(crate) fn sign_ins(listed: Vec<SignInEntry>, now: Timestamp) -> Vec<SignIn> {
    if listed.len() < 2 {
        return Vec::new();
    }
    let shown = listed.into_iter().filter_map(|entry| {
        let made_at = entry.made_at?;
        Some(SignIn {
            label: entry.label.unwrap_or_else(|| "Another browser".to_owned()),
            is_this: entry.is_this,
            made_at: made_at.unix_millis(),
            since: Moment::new(made_at, now),
            last_used: entry.last_used_at.map(|at| Moment::new(at, now)),
        })
    });
    let mut shown: Vec<SignIn> = shown.collect();
    shown.sort_by_key(|entry| (!entry.is_this, std::cmp::Reverse(entry.made_at)));
    shown
}

/// A refresh that failed and will be tried again.
#[derive(Debug)]
struct Waiting {
    next_try: Moment,
    trouble: String,
}

/// A grant as the dashboard shows it: its dates, never its tokens.
#[derive(Debug)]
pub(crate) struct Grant {
    access_until: Moment,
    refresh_until: Option<Moment>,
    refreshable: bool,
    generation: String,
    scopes: Vec<String>,
    session_until: Option<Moment>,
    refreshing: bool,
    waiting: Option<Waiting>,
}

impl Grant {
    /// `status`, seen from `now`.
    pub(crate) fn new(status: GrantStatus, now: Timestamp) -> Self {
        let moment = |at| Moment::new(at, now);
        Self {
            access_until: moment(status.access_expires_at),
            refresh_until: status.refresh_expires_at.map(moment),
            refreshable: status.refreshable,
            generation: status.generation.to_string(),
            scopes: status.scopes,
            session_until: status.session_expires_at.map(moment),
            refreshing: status.activity == Activity::Refreshing,
            waiting: match status.activity {
                Activity::Waiting { retry_at, trouble } => Some(Waiting {
                    next_try: moment(retry_at),
                    trouble,
                }),
                _ => None,
            },
        }
    }

    /// What somebody should know who gets no refresh tokens.
    pub(crate) fn refresh_tokens_off(&self) -> Option<Notice> {
        let Moment { utc, relative, .. } = &self.access_until;
        let text = format!(
            "RingCentral sent no refresh token, so this sign-in lasts until {utc} ({relative}). To stay \
             signed in longer, switch on \u{201c}Issue refresh tokens\u{201d} for the app in the RingCentral \
             developer console and sign in again."
        );
        (!self.refreshable)
            .then(|| Notice::warning("\u{201c}Issue refresh tokens\u{201d} is off.", text))
    }
}

/// Renders `page` into `response`.
pub(crate) fn answer(response: &mut HttpResponseBuilder, page: &impl Template) -> HttpResponse {
    match page.render() {
        Ok(html) => response.content_type(ContentType::html()).body(html),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            HttpResponse::InternalServerError().body("The page could not be made.")
        }
    }
}
