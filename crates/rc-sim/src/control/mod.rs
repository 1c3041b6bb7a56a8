//! The control API below `/sim/`: what a test in another language does to the platform.
//!
//! `GET /sim/openapi.json` describes every request and answer; this is the short of it:
//!
//! | Request | Body | Answer |
//! |---|---|---|
//! | `GET /sim/openapi.json` | | the description, OpenAPI 3.1 |
//! | `GET /sim/credentials` | | ids and secrets of apps, logins and passwords of users |
//! | `GET /sim/counters` | | [`Counters`](crate::Counters) |
//! | `GET /sim/clock` | | `{"now": "…", "frozen": false, "skew_milliseconds": 0}` |
//! | `POST /sim/clock/advance` | `{"seconds": 3600}` | the clock |
//! | `POST /sim/clock/freeze`, `/unfreeze` | | the clock |
//! | `POST /sim/clock/skew` | `{"milliseconds": -90000}` | the clock |
//! | `GET`, `PATCH /sim/switches` | some of [`Switches`](crate::Switches) | all of them |
//! | `POST /sim/limits` | `{"enabled": false}` | `{"enabled": false}` |
//! | `POST /sim/access-tokens/expire` | | `{"expired": 1}` |
//! | `GET /sim/sessions` | | the live OAuth sessions |
//! | `POST /sim/sessions/end` | `{}`, `{"login": "…"}`, `{"token": "…"}` or `{"session_id": "…"}` | `{"ended": 1}` |
//! | `POST /sim/users` | `{"login": "…", "enabled": false}` | the same |
//! | `POST /sim/personal-jwts` | `{"login": "…"}`, perhaps `"client_ids"`, `"expires_in"` seconds | `{"jwt": "…"}` |
//! | `POST /sim/personal-jwts/revoke` | `{"jwt": "…"}` | `{"revoked": true}` |
//! | `POST /sim/signing-key/rotate` | | `{"rotations": 1}` |
//! | `GET`, `POST`, `DELETE /sim/faults` | see below | `{"queued": 1, "id": 7}` |
//! | `DELETE /sim/faults/{id}` | | `{"removed": true}` |
//! | `GET /sim/events?after=0&kind=token&…` | | [`Event`](crate::Event)s; with `wait_seconds`, a server waits for the first |
//! | `GET /sim/messages` | | the recorded text messages |
//! | `POST /sim/reset` | | `{"reset": true}` |
//! | `GET`, `PUT /sim/snapshot` | a snapshot, namespaces included | a snapshot; `{"restored": true}` |
//! | `GET`, `POST /sim/namespaces` | `{"name": "test-1"}` | as `/sim/credentials` |
//! | `DELETE /sim/namespaces/{name}` | | `{"removed": true}` |
//!
//! # Faults
//!
//! A fault is `{"fault": …}` with any of the members that say which requests it strikes: `"target"` (`"token"`,
//! `"revoke"`, `"api"`, `"authorize"`, `"discovery"`), `"grant_type"`, `"client_id"`, `"login"`, `"method"`,
//! `"path"`, `"nth"`, `"probability"`, `"times"` and `"seconds"`; see [`FaultRule`](crate::FaultRule).
//!
//! `fault` is one of `"drop-before"`, `"drop-after"`, `"delay"` with `"milliseconds"`, `"truncate"` with
//! `"bytes"`, `"replace"` with `"status"`, `"body"`, `"headers"` and `"carried_out"`, or the name of a
//! [`Preset`](crate::Preset), such as `"limited-mode"`.
//!
//! # Who may ask
//!
//! A body with a member that is not of the table is refused with 400, and the answer names the member; so is
//! one that belongs to another kind of fault, and an unknown parameter of a query. Nothing is carried out then.
//!
//! Requests that name an `Origin`, or whose `Sec-Fetch-Site` says that another site made them, are refused
//! with 403: a web page has no business here.

mod clock;
mod events;
mod faults;
mod keys;
mod namespaces;
mod openapi;
mod sessions;
mod settings;
mod snapshot;

#[cfg(feature = "server")]
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::ORIGIN};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    platform::{Platform, namespaces::HEADER},
    reply,
    timestamp::Timestamp,
};

/// Where the control API starts.
pub(crate) const PREFIX: &str = "/sim/";

/// Snapshots are longer than other bodies.
#[cfg(feature = "server")]
pub(crate) const SNAPSHOT: &str = "/sim/snapshot";
/// Where events are read.
#[cfg(feature = "server")]
const EVENTS: &str = "/sim/events";
/// The longest a request for events may wait.
#[cfg(feature = "server")]
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long a request is willing to wait for events.
#[cfg(feature = "server")]
pub(crate) fn wait(request: &Request<Bytes>) -> Duration {
    let query = request.uri().query().unwrap_or_default();
    let wait = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == events::WAIT);
    let seconds = wait.and_then(|(_, value)| value.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0)).min(LONGEST_WAIT)
}

/// Whether this is an answer about events that tells of none.
#[cfg(feature = "server")]
pub(crate) fn is_nothing(request: &Request<Bytes>, response: &Response<Bytes>) -> bool {
    request.uri().path() == EVENTS && response.body().starts_with(br#"{"events":[],"#)
}

/// Why a control request was not carried out: a status and a sentence.
type Refusal = (StatusCode, String);

/// A control request, its last segment cut off where the template has a `{}` there.
struct Call<'a> {
    request: &'a Request<Bytes>,
    /// What stands for `{}`.
    named: &'a str,
    now: Timestamp,
}

type Handler = fn(&mut Platform, &Call<'_>) -> Result<Value, Refusal>;

/// One request of the control API.
struct Command {
    method: Method,
    /// Below `/sim/`; `{}` at its end stands for one segment.
    path: &'static str,
    handler: Handler,
}

const fn command(method: Method, path: &'static str, handler: Handler) -> Command {
    Command {
        method,
        path,
        handler,
    }
}

/// Every request of the control API but those of [`OVER_ALL`], for the platform or for one namespace.
const COMMANDS: &[Command] = &[
    command(Method::GET, "openapi.json", openapi::describe),
    command(Method::GET, "counters", settings::counters),
    command(Method::GET, "credentials", settings::credentials),
    command(Method::GET, "clock", clock::show),
    command(Method::POST, "clock/advance", clock::advance),
    command(Method::POST, "clock/freeze", clock::freeze),
    command(Method::POST, "clock/unfreeze", clock::unfreeze),
    command(Method::POST, "clock/skew", clock::skew),
    command(Method::GET, "switches", settings::switches),
    command(Method::PATCH, "switches", settings::patch_switches),
    command(Method::POST, "limits", settings::limits),
    command(Method::POST, "users", settings::user),
    command(Method::POST, "access-tokens/expire", sessions::expire),
    command(Method::GET, "sessions", sessions::list),
    command(Method::POST, "sessions/end", sessions::end),
    command(Method::POST, "personal-jwts", keys::create_jwt),
    command(Method::POST, "personal-jwts/revoke", keys::revoke_jwt),
    command(Method::GET, "faults", faults::list),
    command(Method::POST, "faults", faults::add),
    command(Method::DELETE, "faults", faults::clear),
    command(Method::DELETE, "faults/{}", faults::remove),
    command(Method::GET, "events", events::list),
    command(Method::GET, "messages", events::messages),
    command(Method::POST, "reset", settings::reset),
];

/// The requests that are about the namespaces themselves.
const OVER_ALL: &[Command] = &[
    command(Method::POST, "signing-key/rotate", keys::rotate),
    command(Method::GET, "snapshot", snapshot::take),
    command(Method::PUT, "snapshot", snapshot::restore),
    command(Method::GET, "namespaces", namespaces::list),
    command(Method::POST, "namespaces", namespaces::add),
    command(Method::DELETE, "namespaces/{}", namespaces::remove),
];

impl Platform {
    /// Answers one request of the control API, which the server feature mounts at `/sim/`.
    ///
    /// The header `X-Sim-Namespace` turns it to a namespace.
    pub fn control(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let answer = if comes_from_a_page(request.headers()) {
            Err((
                StatusCode::FORBIDDEN,
                "web pages may not use the control API".to_owned(),
            ))
        } else {
            self.command(request, now)
        };
        let (status, body) = match answer {
            Ok(body) => (StatusCode::OK, body),
            Err((status, message)) => (status, json!({ "error": message })),
        };
        let mut response = reply::no_store(reply::json(status, &body));
        let told = self.clock.told(self.clock(now));
        reply::header(&mut response, "date", &told.http_date());
        response
    }

    fn command(&mut self, request: &Request<Bytes>, now: Timestamp) -> Result<Value, Refusal> {
        let path = request.uri().path();
        let path = path.strip_prefix(PREFIX).unwrap_or_default();
        if let Some((command, named)) = find(OVER_ALL, request.method(), path)? {
            return command.run(self, request, named, now);
        }
        let Some((command, named)) = find(COMMANDS, request.method(), path)? else {
            return Err(not_found(
                "there is no such request; see GET /sim/openapi.json",
            ));
        };
        let platform = match request.headers().get(HEADER) {
            None => self,
            Some(name) => {
                let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
                self.namespace_mut(&name)
                    .ok_or_else(|| not_found(format!("there is no namespace {name:?}")))?
            }
        };
        command.run(platform, request, named, now)
    }
}

impl Command {
    fn run(
        &self,
        platform: &mut Platform,
        request: &Request<Bytes>,
        named: &str,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let query = request.uri().query().unwrap_or_default();
        let parameter = url::form_urlencoded::parse(query.as_bytes()).next();
        // Events are the only ones that take parameters, and they refuse others themselves.
        if let Some((name, _)) = parameter.filter(|_| self.path != "events") {
            return Err(bad_request(format!("unknown parameter {name:?}")));
        }
        let call = Call {
            request,
            named,
            now,
        };
        (self.handler)(platform, &call)
    }

    /// What stands for `{}`, or nothing, where the path is this one's.
    fn named<'a>(&self, path: &'a str) -> Option<&'a str> {
        match self.path.strip_suffix("{}") {
            Some(start) => path
                .strip_prefix(start)
                .filter(|named| !named.is_empty() && !named.contains('/')),
            None => (path == self.path).then_some(""),
        }
    }
}

/// The command of a request; refused where the path is known and the method is not.
fn find<'a>(
    commands: &'static [Command],
    method: &Method,
    path: &'a str,
) -> Result<Option<(&'static Command, &'a str)>, Refusal> {
    let at_path = || {
        commands
            .iter()
            .filter_map(|one| Some((one, one.named(path)?)))
    };
    if let Some(found) = at_path().find(|(command, _)| command.method == *method) {
        return Ok(Some(found));
    }
    let allowed: Vec<&str> = at_path().map(|(one, _)| one.method.as_str()).collect();
    if allowed.is_empty() {
        return Ok(None);
    }
    let message = format!("this takes {}, not {method}", allowed.join(" or "));
    Err((StatusCode::METHOD_NOT_ALLOWED, message))
}

fn not_found(message: impl Into<String>) -> Refusal {
    (StatusCode::NOT_FOUND, message.into())
}

fn bad_request(message: impl Into<String>) -> Refusal {
    (StatusCode::BAD_REQUEST, message.into())
}

/// Only a browser sends these headers; `none` is a user who opens an address.
fn comes_from_a_page(headers: &HeaderMap) -> bool {
    let elsewhere = |site: &HeaderValue| site != "none" && site != "same-origin";
    headers.contains_key(ORIGIN) || headers.get_all("sec-fetch-site").iter().any(elsewhere)
}

/// The body of a request that takes none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoMembers {}

impl Call<'_> {
    fn reads_nothing(&self) -> Result<(), Refusal> {
        if self.request.body().is_empty() {
            return Ok(());
        }
        self.read().map(|NoMembers {}| ())
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(self.request.body())
            .map_err(|error| bad_request(format!("the body is not understood: {error}")))
    }

    /// The body, or what an empty one stands for.
    fn read_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        if self.request.body().is_empty() {
            return Ok(T::default());
        }
        self.read()
    }
}
