//! Extensions and their phone numbers.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{platform::Platform, reply, resource_error::ResourceError, world::Extension};

use super::{
    Call, account,
    paging::{Page, Size},
};

const STATUSES: [&str; 5] = [
    "Enabled",
    "Disabled",
    "Frozen",
    "NotActivated",
    "Unassigned",
];
const TYPES: [&str; 13] = [
    "User",
    "FaxUser",
    "FlexibleUser",
    "VirtualUser",
    "DigitalUser",
    "Department",
    "Announcement",
    "Voicemail",
    "SharedLinesGroup",
    "PagingOnly",
    "IvrMenu",
    "ApplicationExtension",
    "ParkLocation",
];

pub(super) fn read(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let extension = platform.extension(call)?;
    Ok(reply::json(
        StatusCode::OK,
        &info(platform, call, &extension),
    ))
}

/// Platform §9: a list with totals; §9: a filter that is repeated means any of its values.
pub(super) fn list(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    platform.own_account(call)?;
    let statuses = call.one_of("status", &STATUSES)?;
    let types = call.one_of("type", &TYPES)?;
    let page = Page::of(call, Size::DEFAULT)?;
    let world = platform.world();
    let matching: Vec<Extension> = (0..world.size())
        .filter_map(|index| world.extension(index))
        .filter(|extension| statuses.is_empty() || statuses.contains(&extension.status))
        .filter(|extension| types.is_empty() || types.contains(&extension.kind))
        .collect();
    let records = page
        .cut(&matching)
        .iter()
        .map(|extension| summary(platform, call, extension))
        .collect();
    let address = format!("{}/extension", account::uri(platform, call));
    let body = page.body(call, &address, records, page.counted(matching.len()));
    Ok(reply::json(StatusCode::OK, &body))
}

/// Platform §14: which of them may send messages.
pub(super) fn phone_numbers(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let extension = platform.extension(call)?;
    let page = Page::of(call, Size::DEFAULT)?;
    let numbers = platform.world().phone_numbers(&extension);
    let address = format!("{}/phone-number", uri(platform, call, extension.id));
    let records = page
        .cut(&numbers)
        .iter()
        .map(|number| json!(number))
        .collect();
    let body = page.body(call, &address, records, page.counted(numbers.len()));
    Ok(reply::json(StatusCode::OK, &body))
}

/// The extension's own address.
pub(super) fn uri(platform: &Platform, call: &Call<'_>, id: u64) -> String {
    format!("{}/extension/{id}", account::uri(platform, call))
}

/// What the list shows.
fn summary(platform: &Platform, call: &Call<'_>, extension: &Extension) -> Value {
    json!({
        "uri": uri(platform, call, extension.id),
        "id": extension.id,
        "extensionNumber": extension.number,
        "name": extension.name(),
        "type": extension.kind,
        "status": extension.status,
        "hidden": false,
        "contact": contact(platform, extension),
        "permissions": permissions(extension),
    })
}

fn info(platform: &Platform, call: &Call<'_>, extension: &Extension) -> Value {
    let mut info = summary(platform, call, extension);
    info["setupWizardState"] = "Completed".into();
    info["account"] = json!({
        "id": platform.config.account.id.to_string(),
        "uri": account::uri(platform, call),
    });
    info["serviceFeatures"] = json!([{ "featureName": "SMS", "enabled": true }]);
    info["regionalSettings"] = account::regional_settings();
    info
}

fn contact(platform: &Platform, extension: &Extension) -> Value {
    json!({
        "firstName": extension.first_name,
        "lastName": extension.last_name,
        "company": platform.config.account.name,
        "email": extension.email,
        "businessPhone": extension.phone_number,
    })
}

fn permissions(extension: &Extension) -> Value {
    json!({
        "admin": { "enabled": extension.admin },
        "internationalCalling": { "enabled": false },
    })
}
