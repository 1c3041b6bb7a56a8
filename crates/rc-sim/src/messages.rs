//! Text messages: recorded, never sent.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    config::User, platform::Platform, resource_error::ResourceError, timestamp::Timestamp,
};

/// The most recorded messages kept; the oldest go first.
const MOST_MESSAGES: usize = 1_000;

/// A text message an app asked to send. Recorded, never sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SentMessage {
    /// The platform's id of the message.
    pub id: u64,
    /// Who sent it: the extension's id.
    pub extension_id: u64,
    /// The sender's number.
    pub from: String,
    /// The receivers' numbers.
    pub to: Vec<String>,
    /// The text.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

impl Platform {
    pub(crate) fn record_sms(
        &mut self,
        user: &User,
        body: &[u8],
        base: &str,
        now: Timestamp,
    ) -> Result<Value, ResourceError> {
        let sms = Sms::parse(body)?;
        self.messages_recorded += 1;
        let message = SentMessage {
            id: 4_294_968_000 + self.messages_recorded,
            extension_id: user.extension_id,
            from: sms.from.phone_number,
            to: sms.to.into_iter().map(|to| to.phone_number).collect(),
            text: sms.text,
            at: now,
        };
        let answer = message.to_json(base, self.config.account.id);
        if self.messages.len() == MOST_MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
        Ok(answer)
    }
}

impl SentMessage {
    fn to_json(&self, base: &str, account: u64) -> Value {
        let extension = self.extension_id;
        let to: Vec<Value> = self
            .to
            .iter()
            .map(|to| json!({ "phoneNumber": to }))
            .collect();
        json!({
            "uri": format!("{base}/restapi/v1.0/account/{account}/extension/{extension}/message-store/{}", self.id),
            "id": self.id,
            "from": { "phoneNumber": self.from },
            "to": to,
            "type": "SMS",
            "direction": "Outbound",
            "readStatus": "Read",
            "availability": "Alive",
            "messageStatus": "Queued",
            "subject": self.text,
            "creationTime": self.at.to_string(),
            "lastModifiedTime": self.at.to_string(),
        })
    }
}

#[derive(Deserialize)]
struct Sms {
    from: Number,
    to: Vec<Number>,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Number {
    phone_number: String,
}

impl Sms {
    fn parse(body: &[u8]) -> Result<Self, ResourceError> {
        // Platform: what is no JSON is CMN-103; a bad value is CMN-101 with its parameter's name.
        let value: Value = serde_json::from_slice(body).map_err(|_| {
            ResourceError::new(
                StatusCode::BAD_REQUEST,
                "CMN-103",
                "Request body is not valid JSON",
            )
        })?;
        for name in ["from", "to", "text"] {
            if value.get(name).is_none() {
                return Err(ResourceError::parameter(name));
            }
        }
        let sms: Self =
            serde_json::from_value(value).map_err(|_| ResourceError::parameter("to"))?;
        if sms.to.is_empty() {
            return Err(ResourceError::parameter("to"));
        }
        Ok(sms)
    }
}
