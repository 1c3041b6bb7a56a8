//! Message stores: what an extension received and sent.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    platform::Platform,
    reply,
    resources::error::ResourceError,
    timestamp::Timestamp,
    world::{Extension, Mark, Message, World},
};

use super::{
    Call, extensions,
    paging::{Page, Size},
};

const DAY: Duration = Duration::from_secs(86_400);

/// Newest first. Platform §9: the last 24 hours unless the caller says otherwise.
pub(super) fn list(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let extension = platform.extension(call)?;
    let (from, to) = call.period()?;
    let to = to.unwrap_or(call.now);
    let from = from.unwrap_or_else(|| a_day_before(to));
    let directions = call.one_of("direction", &["Inbound", "Outbound"])?;
    let types = call.one_of("messageType", &["SMS", "Fax", "VoiceMail", "Pager"])?;
    let statuses = call.one_of("readStatus", &["Read", "Unread"])?;
    let page = Page::of(call, Size::DEFAULT)?;
    let any = |wanted: &[&str], value| wanted.is_empty() || wanted.contains(&value);
    let mut messages = platform
        .mailboxes
        .all(&platform.world(), &extension, call.now);
    messages.retain(|message| {
        (from..=to).contains(&message.created_at)
            && any(&directions, direction(message))
            && any(&types, "SMS")
            && any(&statuses, read_status(message))
    });
    let address = uri(platform, call, &extension);
    let records: Vec<Value> = page
        .cut(&messages)
        .iter()
        .map(|message| info(platform, call, &extension, message))
        .collect();
    let body = page.body(call, &address, records, page.counted(messages.len()));
    Ok(reply::json(StatusCode::OK, &body))
}

pub(super) fn read(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let extension = platform.extension(call)?;
    let message = find(platform, call, &extension)?;
    Ok(reply::json(
        StatusCode::OK,
        &info(platform, call, &extension, &message),
    ))
}

/// Assumed: `readStatus` is required, and other members are ignored.
pub(super) fn update(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let extension = platform.extension(call)?;
    let id = find(platform, call, &extension)?.id;
    let read = match call.json_body()?.get("readStatus").and_then(Value::as_str) {
        Some("Read") => true,
        Some("Unread") => false,
        Some(_) | None => return Err(ResourceError::parameter("readStatus")),
    };
    let world = World::of(&platform.config, platform.world_key);
    let message = platform
        .mailboxes
        .mark(&world, &extension, id, read, call.now)
        .ok_or_else(|| unknown(call))?;
    platform.note_mark(extension.id, id, Mark::Read { read, at: call.now });
    Ok(reply::json(
        StatusCode::OK,
        &info(platform, call, &extension, &message),
    ))
}

/// Assumed: a deleted message is gone at once, 204 without a body.
pub(super) fn delete(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let extension = platform.extension(call)?;
    let id = find(platform, call, &extension)?.id;
    let world = World::of(&platform.config, platform.world_key);
    if platform.mailboxes.delete(&world, &extension, id, call.now) {
        platform.note_mark(extension.id, id, Mark::Deleted);
        return Ok(reply::empty(StatusCode::NO_CONTENT));
    }
    Err(unknown(call))
}

/// The only attachment of a text message is its text, and has the message's id.
pub(super) fn content(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let extension = platform.extension(call)?;
    let message = find(platform, call, &extension)?;
    let attachment = call.value("attachmentId");
    if call.id("attachmentId") != Some(message.id) {
        return Err(ResourceError::not_found("attachmentId", attachment));
    }
    let text = Bytes::copy_from_slice(message.text.as_bytes());
    Ok(reply::text(
        StatusCode::OK,
        "text/plain;charset=utf-8",
        text,
    ))
}

fn find(
    platform: &Platform,
    call: &Call<'_>,
    extension: &Extension,
) -> Result<Message, ResourceError> {
    let id = call.id("messageId");
    id.and_then(|id| {
        platform
            .mailboxes
            .find(&platform.world(), extension, id, call.now)
    })
    .ok_or_else(|| unknown(call))
}

fn unknown(call: &Call<'_>) -> ResourceError {
    ResourceError::not_found("messageId", call.value("messageId"))
}

fn a_day_before(to: Timestamp) -> Timestamp {
    let since_1970 = to.since(Timestamp::default());
    Timestamp::default().plus(since_1970.saturating_sub(DAY))
}

fn uri(platform: &Platform, call: &Call<'_>, extension: &Extension) -> String {
    format!(
        "{}/message-store",
        extensions::uri(platform, call, extension.id)
    )
}

fn direction(message: &Message) -> &'static str {
    if message.inbound {
        "Inbound"
    } else {
        "Outbound"
    }
}

fn read_status(message: &Message) -> &'static str {
    if message.read { "Read" } else { "Unread" }
}

/// Platform §9: the fields of a message. Nothing is ever sent, so an outbound one stays queued.
pub(super) fn info(
    platform: &Platform,
    call: &Call<'_>,
    extension: &Extension,
    message: &Message,
) -> Value {
    let uri = format!("{}/{}", uri(platform, call, extension), message.id);
    json!({
        "attachments": [{
            "id": message.id,
            "uri": format!("{uri}/content/{}", message.id),
            "type": "Text",
            "contentType": "text/plain",
        }],
        "uri": uri,
        "id": message.id,
        "from": message.from,
        "to": &message.to[..],
        "type": "SMS",
        "direction": direction(message),
        "readStatus": read_status(message),
        "availability": "Alive",
        "priority": "Normal",
        "messageStatus": if message.inbound { "Received" } else { "Queued" },
        "subject": &message.text[..],
        "creationTime": message.created_at.to_string(),
        "lastModifiedTime": message.modified_at.to_string(),
    })
}
