//! What every answer has to be, whatever the request was.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use crate::stage::Stage;

/// The largest answer to a request, in bytes.
const LARGEST: usize = 2 * 1024 * 1024;

/// What is wrong with an answer, as a sentence.
pub(crate) type Verdict = Result<(), String>;

fn wrong(what: &str, response: &Response<Bytes>) -> String {
    let body: String = String::from_utf8_lossy(response.body())
        .chars()
        .take(300)
        .collect();
    format!("{what}: {} {body:?}", response.status())
}

/// An answer of the platform itself.
pub(crate) fn answer(
    stage: &Stage,
    request: &Request<Bytes>,
    response: &Response<Bytes>,
) -> Verdict {
    // A callback may be to a server that has an error: the status alone is the platform's.
    if response.status().is_server_error() {
        return Err(wrong("the platform blames itself", response));
    }
    if response.body().len() > LARGEST {
        return Err(format!("an answer of {} bytes", response.body().len()));
    }
    if !is_of_a_known_shape(request, response) {
        return Err(wrong("an answer of no known shape", response));
    }
    keeps_secrets(stage, response)
}

/// An answer of the control API; those that list everything may be long.
pub(crate) fn control(
    stage: &Stage,
    request: &Request<Bytes>,
    response: &Response<Bytes>,
) -> Verdict {
    if response.status().is_server_error() {
        return Err(wrong("the control API blames itself", response));
    }
    let lists_everything = matches!(request.uri().path(), "/sim/snapshot" | "/sim/messages");
    if response.body().len() > LARGEST && !lists_everything {
        return Err(format!("an answer of {} bytes", response.body().len()));
    }
    let Ok(body) = serde_json::from_slice::<Value>(response.body()) else {
        return Err(wrong("no JSON", response));
    };
    if response.status() == 200 {
        return Ok(());
    }
    if !body["error"].is_string() {
        return Err(wrong("a refusal without its reason", response));
    }
    keeps_secrets(stage, response)
}

/// Tokens of others are in no answer.
fn keeps_secrets(stage: &Stage, response: &Response<Bytes>) -> Verdict {
    let body = String::from_utf8_lossy(response.body());
    let headers = response.headers().values();
    let headers: Vec<_> = headers
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    // The first is the demo app's own secret, which inputs name.
    let told = stage.secrets.iter().skip(1).find(|secret| {
        body.contains(secret.as_str())
            || headers.iter().any(|value| value.contains(secret.as_str()))
    });
    match told {
        Some(_) => Err(wrong("an answer with a secret of somebody else", response)),
        None => Ok(()),
    }
}

fn is_of_a_known_shape(request: &Request<Bytes>, response: &Response<Bytes>) -> bool {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let path = request.uri().path();
    match status {
        300..400 => response.headers().contains_key("location") || status == 304,
        400.. if is_page(path) && kind.starts_with("text/html") => true,
        400.. => is_refusal(response.body()),
        _ if kind.starts_with("application/json") => {
            serde_json::from_slice::<Value>(response.body()).is_ok()
        }
        _ => true,
    }
}

fn is_page(path: &str) -> bool {
    path == "/restapi/oauth/authorize" || path.starts_with("/login")
}

/// RFC 6749 section 5.2 with the platform's additions, or the shape of resources.
fn is_refusal(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    let of_oauth = body["error"].is_string() && body["error_description"].is_string();
    let of_resource = body["errorCode"].is_string() && body["message"].is_string();
    let first = &body["errors"][0];
    let listed =
        first.is_null() || (first["errorCode"].is_string() && first["message"].is_string());
    (of_oauth || of_resource) && listed
}

/// What a platform keeps after any number of requests.
pub(crate) fn bounds(stage: &mut Stage) -> Verdict {
    let config = stage.platform.config();
    // Platform §4: five sessions of a user in an app.
    let pairs = config.apps.len() * config.users.len();
    let most_sessions = 5 * pairs as u64;
    let live = stage.platform.counters(stage.now).live_sessions;
    within("live sessions", live, most_sessions)?;
    let events = stage
        .platform
        .events(&rc_sim::EventFilter::default())
        .count();
    within("events", events as u64, 10_000)?;
    within("messages", stage.platform.messages().count() as u64, 1_000)?;
    within(
        "namespaces",
        stage.platform.namespaces().count() as u64,
        1_000,
    )?;
    let faults = listed(stage, "/sim/faults", "faults");
    within("faults", faults, 10_000)?;
    let snapshot = serde_json::to_value(stage.platform.snapshot(stage.now));
    let snapshot = snapshot.map_err(|error| error.to_string())?;
    for part in snapshot["parts"].as_array().into_iter().flatten() {
        let records = part["records"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        for (kind, most) in [
            ("session", most_sessions),
            ("session-ended", 10_000),
            ("code", 10_000),
            ("consent", pairs as u64),
            ("personal-jwt", 10_000),
            ("assertion-spent", 10_000),
            ("message", 5_000 * 60),
            ("message-marked", 5_000 * 60),
            ("message-sent", 1_000),
            ("password-changed", pairs as u64),
            ("user", pairs as u64),
        ] {
            let of_kind = records.iter().filter(|record| !record[kind].is_null());
            within(kind, of_kind.count() as u64, most)?;
        }
    }
    Ok(())
}

fn within(what: &str, is: u64, most: u64) -> Verdict {
    if is > most {
        return Err(format!("growth: {is} × {what}, where {most} are the most"));
    }
    Ok(())
}

fn listed(stage: &mut Stage, uri: &str, name: &str) -> u64 {
    let request = Request::get(uri).body(Bytes::new()).expect("a request");
    let answer = stage.platform.control(&request, stage.now);
    let answer: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    answer[name].as_array().map_or(0, |list| list.len() as u64)
}
