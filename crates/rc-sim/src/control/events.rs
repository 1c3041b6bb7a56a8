//! The journal, and the recorded text messages.

use serde::de::{DeserializeOwned, value};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Call, Refusal, bad_request};
use crate::platform::{
    Platform,
    journal::{Event, EventFilter},
};

/// The most events of one answer.
const MOST: usize = 1_000;

/// `wait_seconds` is the server's concern: it asks again until there are events or the time is over.
pub(super) const WAIT: &str = "wait_seconds";

pub(super) fn list(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    let filter = filter(call.request.uri().query().unwrap_or_default())?;
    let events: Vec<Event> = platform.events(&filter).take(MOST).collect();
    Ok(json!({ "events": events, "last": platform.journal.last() }))
}

pub(super) fn messages(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    let messages: Vec<Value> = platform
        .messages()
        .map(|message| {
            json!({
                "id": message.id,
                "extension_id": message.extension_id,
                "from": message.from,
                "to": message.to,
                "text": message.text,
                "at": message.at.to_string(),
            })
        })
        .collect();
    Ok(json!({ "messages": messages }))
}

fn filter(query: &str) -> Result<EventFilter, Refusal> {
    let mut filter = EventFilter::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let text = || Some(value.clone().into_owned());
        match name.as_ref() {
            "after" => filter.after = number(&name, &value)?,
            "kind" => filter.kind = Some(word(&name, &value)?),
            "client_id" => filter.client_id = text(),
            "login" => filter.login = text(),
            "grant_type" => filter.grant_type = text(),
            "path" => filter.path = text(),
            "status" => filter.status = Some(number(&name, &value)?),
            "code" => filter.code = text(),
            WAIT => drop(number::<u64>(&name, &value)?),
            _ => return Err(bad_request(format!("unknown parameter {name:?}"))),
        }
    }
    Ok(filter)
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Refusal> {
    value
        .parse()
        .map_err(|_| bad_request(format!("the parameter {name:?} is not a number in range")))
}

fn word<T: DeserializeOwned>(name: &str, value: &str) -> Result<T, Refusal> {
    T::deserialize(value::StrDeserializer::<value::Error>::new(value))
        .map_err(|error| bad_request(format!("the parameter {name:?} is not understood: {error}")))
}
