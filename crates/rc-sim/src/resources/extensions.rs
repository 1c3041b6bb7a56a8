//! Extensions and their phone numbers.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::{platform::Platform, reply, resources::error::ResourceError, world::Extension};

use super::{
    Call,
    account::{self, RegionalSettings},
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
    let records: Vec<Summary<'_>> = page
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
    let records = page.cut(&numbers).iter().collect();
    let body = page.body(call, &address, records, page.counted(numbers.len()));
    Ok(reply::json(StatusCode::OK, &body))
}

/// The extension's own address.
pub(super) fn uri(platform: &Platform, call: &Call<'_>, id: u64) -> String {
    format!("{}/extension/{id}", account::uri(platform, call))
}

/// What a list shows of an extension, and a part of what its own address shows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    uri: String,
    id: u64,
    extension_number: &'a str,
    name: String,
    r#type: &'static str,
    status: &'static str,
    hidden: bool,
    contact: Contact<'a>,
    permissions: Permissions,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Contact<'a> {
    first_name: &'a str,
    last_name: &'a str,
    company: &'a str,
    email: &'a str,
    business_phone: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Permissions {
    admin: Enabled,
    international_calling: Enabled,
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    setup_wizard_state: &'static str,
    account: Account,
    service_features: [Feature; 1],
    regional_settings: RegionalSettings,
}

#[derive(Serialize)]
struct Account {
    id: String,
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Feature {
    feature_name: &'static str,
    enabled: bool,
}

fn summary<'a>(platform: &'a Platform, call: &Call<'_>, extension: &'a Extension) -> Summary<'a> {
    Summary {
        uri: uri(platform, call, extension.id),
        id: extension.id,
        extension_number: &extension.number,
        name: extension.name(),
        r#type: extension.kind,
        status: extension.status,
        hidden: false,
        contact: Contact {
            first_name: &extension.first_name,
            last_name: &extension.last_name,
            company: &platform.config.account.name,
            email: &extension.email,
            business_phone: &extension.phone_number,
        },
        permissions: Permissions {
            admin: Enabled {
                enabled: extension.admin,
            },
            international_calling: Enabled { enabled: false },
        },
    }
}

fn info<'a>(platform: &'a Platform, call: &Call<'_>, extension: &'a Extension) -> Info<'a> {
    Info {
        summary: summary(platform, call, extension),
        setup_wizard_state: "Completed",
        account: Account {
            id: platform.config.account.id.to_string(),
            uri: account::uri(platform, call),
        },
        service_features: [Feature {
            feature_name: "SMS",
            enabled: true,
        }],
        regional_settings: account::REGIONAL_SETTINGS,
    }
}
