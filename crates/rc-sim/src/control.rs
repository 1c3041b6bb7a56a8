//! The control API below `/sim/`: what a test in another language does to the platform.
//!
//! | Request | Body | Answer |
//! |---|---|---|
//! | `GET /sim/counters` | | [`Counters`](crate::Counters) |
//! | `POST /sim/clock/advance` | `{"seconds": 3600}` | `{"now": "…"}` |
//! | `POST /sim/access-tokens/expire` | | `{"expired": 1}` |
//! | `POST /sim/sessions/end` | `{}` or `{"login": "…"}` | `{"ended": 1}` |
//! | `POST /sim/limits` | `{"enabled": false}` | `{"enabled": false}` |
//! | `POST /sim/faults` | see below | `{"queued": 1}` |
//! | `DELETE /sim/faults` | | `{"queued": 0}` |
//!
//! A fault is `{"target": "token" | "revoke" | "api", "times": 1, "fault": …}` where `fault` is one of
//! `"drop-before"`, `"drop-after"`, `"delay"` with `"milliseconds"`, `"truncate"` with `"bytes"`, and
//! `"replace"` with `"status"`, `"body"`, `"headers"` and `"carried_out"`. `times` is 1 when left out.
//!
//! A body with a member that is not of the table is refused with 400, and the answer names the member; so is
//! one that belongs to another kind of fault. Nothing is carried out then.
//!
//! Requests that name an `Origin`, or whose `Sec-Fetch-Site` says that another site made them, are refused
//! with 403: a web page has no business here.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header::ORIGIN};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    fault::{Fault, Replacement, Target},
    platform::Platform,
    reply,
    timestamp::Timestamp,
};

/// Where the control API starts.
pub(crate) const PREFIX: &str = "/sim/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndSessions {
    login: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnableLimits {
    enabled: bool,
}

/// The body of a request that takes none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoMembers {}

#[derive(Deserialize)]
#[serde(try_from = "Map<String, Value>")]
struct QueueFault {
    strikes: Strikes,
    fault: FaultSpec,
}

/// The members that every kind of fault has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Strikes {
    target: TargetName,
    #[serde(default = "once")]
    times: u32,
}

/// Parted by hand: serde's `flatten` takes members that nobody knows.
impl TryFrom<Map<String, Value>> for QueueFault {
    type Error = serde_json::Error;

    fn try_from(mut members: Map<String, Value>) -> Result<Self, Self::Error> {
        let strikes = ["target", "times"]
            .into_iter()
            .filter_map(|name| members.remove_entry(name))
            .collect();
        Ok(Self {
            strikes: Strikes::deserialize(Value::Object(strikes))?,
            fault: FaultSpec::deserialize(Value::Object(members))?,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TargetName {
    Token,
    Revoke,
    Api,
}

#[derive(Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
enum FaultSpec {
    // With braces: serde lets a variant without them have any member.
    DropBefore {},
    DropAfter {},
    Delay {
        milliseconds: u64,
    },
    Truncate {
        bytes: usize,
    },
    Replace {
        status: u16,
        #[serde(default)]
        body: String,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        carried_out: bool,
    },
}

fn once() -> u32 {
    1
}

/// Why a control request was not carried out: a status and a sentence.
type Refusal = (StatusCode, String);

impl Platform {
    /// Answers one request of the control API, which the server feature mounts at `/sim/`.
    pub fn control(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let answer = if comes_from_a_page(request.headers()) {
            Err((
                StatusCode::FORBIDDEN,
                "web pages may not use the control API".to_owned(),
            ))
        } else {
            self.carry_out(request, now)
        };
        let (status, body) = match answer {
            Ok(body) => (StatusCode::OK, body),
            Err((status, message)) => (status, json!({ "error": message })),
        };
        let mut response = reply::no_store(reply::json(status, &body));
        reply::header(&mut response, "date", &self.clock(now).http_date());
        response
    }

    fn carry_out(&mut self, request: &Request<Bytes>, now: Timestamp) -> Result<Value, Refusal> {
        let path = request
            .uri()
            .path()
            .strip_prefix(PREFIX)
            .unwrap_or_default();
        match (request.method().as_str(), path) {
            ("GET", "counters") => {
                read_nothing(request)?;
                Ok(json!(self.counters(now)))
            }
            ("POST", "clock/advance") => {
                let Advance { seconds } = read(request)?;
                self.advance(Duration::from_secs(seconds));
                Ok(json!({ "now": self.clock(now).to_string() }))
            }
            ("POST", "access-tokens/expire") => {
                read_nothing(request)?;
                Ok(json!({ "expired": self.expire_access_tokens(now) }))
            }
            ("POST", "sessions/end") => {
                let which: EndSessions = if request.body().is_empty() {
                    EndSessions::default()
                } else {
                    read(request)?
                };
                let ended = match which.login {
                    Some(login) => self.end_user_sessions(&login),
                    None => self.end_all_sessions(),
                };
                Ok(json!({ "ended": ended }))
            }
            ("POST", "limits") => {
                let EnableLimits { enabled } = read(request)?;
                self.enable_limits(enabled);
                Ok(json!({ "enabled": enabled }))
            }
            ("POST", "faults") => {
                let QueueFault { strikes, fault } = read(request)?;
                let Strikes { target, times } = strikes;
                self.queue_fault(target.into(), fault.into_fault()?, times);
                Ok(json!({ "queued": times }))
            }
            ("DELETE", "faults") => {
                read_nothing(request)?;
                self.clear_faults();
                Ok(json!({ "queued": 0 }))
            }
            (method, _) => Err((
                StatusCode::NOT_FOUND,
                format!("no {method} here; see the crate's documentation"),
            )),
        }
    }
}

/// Only a browser sends these headers; `none` is a user who opens an address.
fn comes_from_a_page(headers: &HeaderMap) -> bool {
    let elsewhere = |site: &HeaderValue| site != "none" && site != "same-origin";
    headers.contains_key(ORIGIN) || headers.get_all("sec-fetch-site").iter().any(elsewhere)
}

fn read_nothing(request: &Request<Bytes>) -> Result<(), Refusal> {
    if request.body().is_empty() {
        return Ok(());
    }
    read(request).map(|NoMembers {}| ())
}

fn read<T: DeserializeOwned>(request: &Request<Bytes>) -> Result<T, Refusal> {
    serde_json::from_slice(request.body()).map_err(|error| {
        (
            StatusCode::BAD_REQUEST,
            format!("the body is not understood: {error}"),
        )
    })
}

impl From<TargetName> for Target {
    fn from(name: TargetName) -> Self {
        match name {
            TargetName::Token => Self::Token,
            TargetName::Revoke => Self::Revoke,
            TargetName::Api => Self::Api,
        }
    }
}

impl FaultSpec {
    fn into_fault(self) -> Result<Fault, Refusal> {
        Ok(match self {
            Self::DropBefore {} => Fault::DropBefore,
            Self::DropAfter {} => Fault::DropAfter,
            Self::Delay { milliseconds } => Fault::Delay(Duration::from_millis(milliseconds)),
            Self::Truncate { bytes } => Fault::Truncate(bytes),
            Self::Replace {
                status,
                body,
                headers,
                carried_out,
            } => {
                let mut replacement = Replacement::new(final_status(status)?, body);
                replacement.carried_out = carried_out;
                for (name, value) in headers {
                    let (name, value) = header(&name, &value)?;
                    replacement = replacement.header(name, value);
                }
                Fault::Replace(replacement)
            }
        })
    }
}

/// An informational status is no answer.
fn final_status(status: u16) -> Result<StatusCode, Refusal> {
    StatusCode::from_u16(status)
        .ok()
        .filter(|status| !status.is_informational())
        .ok_or_else(|| {
            (
                StatusCode::BAD_REQUEST,
                format!("{status} is no final HTTP status, such as 503"),
            )
        })
}

/// Headers that frame the message are left to the server.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Refusal> {
    let framing = ["content-length", "transfer-encoding", "connection"];
    match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        (Ok(name), Ok(value)) if !framing.contains(&name.as_str()) => Ok((name, value)),
        _ => Err((
            StatusCode::BAD_REQUEST,
            format!("the header {name:?} cannot be sent"),
        )),
    }
}
