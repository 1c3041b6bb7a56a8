//! Faults on demand.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize, de};
use serde_json::{Map, Value, json};

use super::{Call, Refusal, bad_request};
use crate::{
    fault::{Fault, FaultRule, Preset, Replacement, Shown, Target},
    platform::Platform,
};

#[derive(Deserialize)]
#[serde(try_from = "Map<String, Value>")]
struct AddFault {
    strikes: Strikes,
    fault: FaultSpec,
}

/// The members that every kind of fault has: which requests it strikes, and how often.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Strikes {
    target: Option<TargetName>,
    grant_type: Option<String>,
    client_id: Option<String>,
    login: Option<String>,
    method: Option<String>,
    path: Option<String>,
    nth: Option<u64>,
    probability: Option<f64>,
    times: Option<u32>,
    seconds: Option<u64>,
}

const STRIKES: [&str; 10] = [
    "target",
    "grant_type",
    "client_id",
    "login",
    "method",
    "path",
    "nth",
    "probability",
    "times",
    "seconds",
];

/// Parted by hand: serde's `flatten` takes members that nobody knows.
impl TryFrom<Map<String, Value>> for AddFault {
    type Error = serde_json::Error;

    fn try_from(mut members: Map<String, Value>) -> Result<Self, Self::Error> {
        let strikes = STRIKES
            .into_iter()
            .filter_map(|name| members.remove_entry(name))
            .collect();
        Ok(Self {
            strikes: Strikes::deserialize(Value::Object(strikes))?,
            fault: read_fault(members)?,
        })
    }
}

/// The faults that have members of their own, or none and no preset's name.
const KINDS: [&str; 5] = ["drop-before", "drop-after", "delay", "truncate", "replace"];

fn is_fault(name: &str) -> bool {
    KINDS.contains(&name) || Preset::NAMES.contains(&name)
}

/// A preset has no members of its own.
fn read_fault(members: Map<String, Value>) -> Result<FaultSpec, serde_json::Error> {
    let named = members.get("fault").and_then(Value::as_str);
    if let Some(name) = named.filter(|name| !is_fault(name)) {
        let all = [KINDS.join(", "), Preset::NAMES.join(", ")].join(", ");
        return Err(de::Error::custom(format!(
            "unknown fault `{name}`; there are {all}"
        )));
    }
    let preset = members.get("fault").map(Preset::deserialize);
    match preset {
        Some(Ok(preset)) if members.len() == 1 => Ok(FaultSpec::Preset { preset }),
        _ => FaultSpec::deserialize(Value::Object(members)),
    }
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum TargetName {
    Token,
    Revoke,
    Api,
    Authorize,
    Discovery,
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
    #[serde(skip)]
    Preset {
        preset: Preset,
    },
}

pub(super) fn list(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    let faults: Vec<Value> = platform.faults.shown().map(|shown| show(&shown)).collect();
    Ok(json!({ "faults": faults }))
}

pub(super) fn add(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    let AddFault { strikes, fault } = call.read()?;
    let times = strikes.times.unwrap_or(1);
    strikes.can_strike(platform)?;
    let rule = strikes.rule(fault.into_fault()?)?;
    if times == 0 {
        return Ok(json!({ "queued": 0 }));
    }
    match platform.add_fault(rule, call.now) {
        Some(id) => Ok(json!({ "queued": times, "id": id })),
        None => Err((
            StatusCode::CONFLICT,
            "too many faults wait already; DELETE /sim/faults forgets them".to_owned(),
        )),
    }
}

pub(super) fn clear(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    platform.clear_faults();
    Ok(json!({ "queued": 0 }))
}

pub(super) fn remove(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    let id = call
        .named
        .parse()
        .map_err(|_| bad_request("the id of a fault is a number"))?;
    Ok(json!({ "removed": platform.remove_fault(id) }))
}

fn show(shown: &Shown<'_>) -> Value {
    let rule = shown.rule;
    json!({
        "id": shown.id,
        "fault": rule.fault.name(),
        "target": rule.target.map(TargetName::from),
        "grant_type": rule.grant_type,
        "client_id": rule.client_id,
        "login": rule.login,
        "method": rule.method.as_ref().map(Method::as_str),
        "path": rule.path,
        "nth": rule.nth,
        "probability": rule.probability,
        "times": rule.times,
        "seconds": rule.lasting.map(|time| time.as_secs()),
        "seen": shown.seen,
        "struck": shown.struck,
    })
}

impl Strikes {
    /// Refuses what no request would ever be like.
    fn can_strike(&self, platform: &Platform) -> Result<(), Refusal> {
        let client_id = self.client_id.as_deref();
        if let Some(client_id) = client_id.filter(|id| platform.registry.app(id).is_none()) {
            return Err(bad_request(format!(
                "no app has the client_id {client_id:?}"
            )));
        }
        let login = self.login.as_deref();
        if let Some(login) = login.filter(|login| platform.registry.login(login).is_none()) {
            return Err(bad_request(format!("no user has the login {login:?}")));
        }
        if self
            .path
            .as_ref()
            .is_some_and(|path| !path.starts_with(['/', '*']))
        {
            return Err(bad_request("a path starts with a slash"));
        }
        let lower = |method: &String| method.bytes().any(|b| b.is_ascii_lowercase());
        if self.method.as_ref().is_some_and(lower) {
            return Err(bad_request("a method is written in capitals, such as GET"));
        }
        if self.nth == Some(0) || self.seconds == Some(0) {
            return Err(bad_request("nth and seconds are at least 1"));
        }
        Ok(())
    }

    fn rule(self, fault: Fault) -> Result<FaultRule, Refusal> {
        let method = self.method.map(|method| Method::try_from(method.as_str()));
        let probability = self.probability.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&probability) {
            return Err(bad_request("a probability is from 0 to 1"));
        }
        Ok(FaultRule {
            target: self.target.map(Target::from),
            grant_type: self.grant_type,
            client_id: self.client_id,
            login: self.login,
            method: method
                .transpose()
                .map_err(|_| bad_request("the method is none"))?,
            path: self.path,
            nth: self.nth.unwrap_or(1),
            probability,
            times: self.times,
            lasting: self.seconds.map(Duration::from_secs),
            ..FaultRule::new(fault)
        })
    }
}

impl From<TargetName> for Target {
    fn from(name: TargetName) -> Self {
        match name {
            TargetName::Token => Self::Token,
            TargetName::Revoke => Self::Revoke,
            TargetName::Api => Self::Api,
            TargetName::Authorize => Self::Authorize,
            TargetName::Discovery => Self::Discovery,
        }
    }
}

impl From<Target> for TargetName {
    fn from(target: Target) -> Self {
        match target {
            Target::Token => Self::Token,
            Target::Revoke => Self::Revoke,
            Target::Api => Self::Api,
            Target::Authorize => Self::Authorize,
            Target::Discovery => Self::Discovery,
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
            Self::Preset { preset } => preset.into(),
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
        .ok_or_else(|| bad_request(format!("{status} is no final HTTP status, such as 503")))
}

/// Headers that frame the message are left to the server.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Refusal> {
    let framing = ["content-length", "transfer-encoding", "connection"];
    match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        (Ok(name), Ok(value)) if !framing.contains(&name.as_str()) => Ok((name, value)),
        _ => Err(bad_request(format!("the header {name:?} cannot be sent"))),
    }
}
