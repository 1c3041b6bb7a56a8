//! What happened, request by request.

use std::collections::VecDeque;

use http::{HeaderValue, Method, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::{
    config::{ClientId, Registry, UserId},
    timestamp::Timestamp,
};

/// The most events kept; the oldest go first.
const MOST: usize = 10_000;

/// One request that the platform saw. No secret, token, code or query is part of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// Counts from 1 and never repeats.
    pub number: u64,
    /// The platform's time, Unix milliseconds.
    pub at: Timestamp,
    /// What kind of request it was.
    pub kind: EventKind,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// `grant_type` of a token request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_type: Option<String>,
    /// The app, as far as the request named one that exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The user, as far as one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The status of the answer; what it would have been where no answer arrives.
    pub status: u16,
    /// The code of a refusal, such as `OAU-213`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The fault that struck, such as `drop-after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
    /// `RCRequestId` of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// What kind of request an [`Event`] tells of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventKind {
    /// The authorization endpoint.
    Authorize,
    /// The sign-in and consent pages.
    SignIn,
    /// The token endpoint.
    Token,
    /// The revocation endpoint.
    Revoke,
    /// Discovery documents, key sets and user info.
    Discovery,
    /// A resource.
    Api,
    /// Anything else.
    Other,
}

/// Which events are asked for: those that are like everything that is named.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EventFilter {
    /// Those with greater numbers. Default: 0, all.
    pub after: u64,
    /// Of this kind.
    pub kind: Option<EventKind>,
    /// Of this app.
    pub client_id: Option<String>,
    /// Of this user, compared without case.
    pub login: Option<String>,
    /// Of this grant type.
    pub grant_type: Option<String>,
    /// For this path; a `*` at its end stands for anything.
    pub path: Option<String>,
    /// Answered with this status.
    pub status: Option<u16>,
    /// Refused with this code.
    pub code: Option<String>,
}

impl EventFilter {
    fn takes(&self, event: &Event) -> bool {
        let same = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        let path = self.path.as_deref();
        let login = self.login.as_deref();
        event.number > self.after
            && self.kind.is_none_or(|kind| kind == event.kind)
            && self.status.is_none_or(|status| status == event.status)
            && same(&self.client_id, event.client_id.as_deref())
            && same(&self.grant_type, event.grant_type.as_deref())
            && same(&self.code, event.code)
            && login.is_none_or(|login| {
                let is = event.login.as_deref();
                is.is_some_and(|is| is.eq_ignore_ascii_case(login))
            })
            && path.is_none_or(|path| match path.strip_suffix('*') {
                Some(start) => event.path.starts_with(start),
                None => event.path == path,
            })
    }
}

/// The code of a refusal, which travels with the answer as far as the journal.
#[derive(Clone, Copy)]
pub(crate) struct RefusalCode(pub(crate) &'static str);

/// An event as it is kept: what names somebody is told when it is read.
pub(crate) struct Noted {
    pub(crate) at: Timestamp,
    pub(crate) kind: EventKind,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) grant_type: Option<String>,
    pub(crate) client_id: Option<ClientId>,
    pub(crate) user: Option<UserId>,
    pub(crate) status: StatusCode,
    pub(crate) code: Option<&'static str>,
    pub(crate) fault: Option<&'static str>,
    pub(crate) request_id: Option<HeaderValue>,
}

impl Noted {
    fn tell(&self, number: u64, registry: &Registry) -> Event {
        let user = self.user.and_then(|user| registry.user(user));
        let request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok());
        Event {
            number,
            at: self.at,
            kind: self.kind,
            method: self.method.as_str().to_owned(),
            path: self.path.clone(),
            grant_type: self.grant_type.clone(),
            client_id: self.client_id.clone().map(String::from),
            login: user.map(|user| user.login.clone()),
            status: self.status.as_u16(),
            code: self.code,
            fault: self.fault,
            request_id: request_id.map(str::to_owned),
        }
    }
}

/// The last events.
#[derive(Default)]
pub(crate) struct Journal {
    events: VecDeque<Noted>,
    written: u64,
}

impl Journal {
    pub(crate) fn write(&mut self, event: Noted) {
        self.written += 1;
        if self.events.len() == MOST {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    pub(crate) fn read<'a>(
        &'a self,
        filter: &'a EventFilter,
        registry: &'a Registry,
    ) -> impl Iterator<Item = Event> + 'a {
        // Numbers rise by one, so the place of the first that is wanted is known.
        let first = self.written - self.events.len() as u64;
        let skipped = usize::try_from(filter.after.saturating_sub(first)).unwrap_or(usize::MAX);
        let wanted = (first + 1..).zip(&self.events).skip(skipped);
        wanted
            .map(|(number, noted)| noted.tell(number, registry))
            .filter(move |event| filter.takes(event))
    }

    /// The number of the last event; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.written
    }
}

/// What an answer says of itself.
pub(crate) fn outcome<B>(response: &Response<B>) -> (StatusCode, Option<&'static str>) {
    let code = response.extensions().get::<RefusalCode>();
    (response.status(), code.map(|code| code.0))
}
