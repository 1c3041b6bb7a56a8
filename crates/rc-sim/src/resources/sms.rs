//! Sending text messages, which are stored and never sent.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use crate::{platform::Platform, reply, resources::error::ResourceError, world::Extension};

use super::{Call, message_store};

/// The most receivers of one message.
const MOST_RECEIVERS: usize = 10;
/// The longest text, in characters.
const LONGEST_TEXT: usize = 1_000;

/// What the caller wants sent.
pub(crate) struct Sms {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
}

pub(super) fn send(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let extension = platform.extension(call)?;
    let sms = Sms::read(&call.json_body()?)?;
    if !may_send_from(platform, &extension, &sms.from) {
        return Err(ResourceError::parameter("from"));
    }
    let message = platform.record_sms(&extension, sms, call.now);
    let body = message_store::info(platform, call, &extension, &message);
    Ok(reply::json(StatusCode::OK, &body))
}

/// Platform §14: the sender is one of the extension's own numbers with the feature SmsSender.
fn may_send_from(platform: &Platform, extension: &Extension, number: &str) -> bool {
    let numbers = platform.world().phone_numbers(extension);
    numbers
        .iter()
        .any(|own| own.sends_messages() && own.phone_number == number)
}

impl Sms {
    /// Platform §6: a bad value is CMN-101 with its parameter's name; unknown members are ignored.
    fn read(body: &Value) -> Result<Self, ResourceError> {
        let bad = ResourceError::parameter;
        let from = body
            .get("from")
            .and_then(number)
            .ok_or_else(|| bad("from"))?;
        let to: Option<Vec<String>> = body
            .get("to")
            .and_then(Value::as_array)
            .filter(|to| (1..=MOST_RECEIVERS).contains(&to.len()))
            .and_then(|to| to.iter().map(number).collect());
        let to = to.ok_or_else(|| bad("to"))?;
        let text = body.get("text").and_then(Value::as_str);
        let text = text
            .filter(|text| (1..=LONGEST_TEXT).contains(&text.chars().count()))
            .ok_or_else(|| bad("text"))?;
        Ok(Self {
            from,
            to,
            text: text.into(),
        })
    }
}

/// The number of `{"phoneNumber": …}`, in E.164.
fn number(party: &Value) -> Option<String> {
    let number = party.get("phoneNumber")?.as_str()?;
    let digits = number.strip_prefix('+')?;
    let valid = (7..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|digit| digit.is_ascii_digit());
    valid.then(|| number.to_owned())
}
