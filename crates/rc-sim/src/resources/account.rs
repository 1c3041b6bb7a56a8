//! The account, and what the platform knows about the caller's token.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::{platform::Platform, reply, resources::error::ResourceError};

use super::Call;

/// Platform §9: v1.0 has the id as a number.
pub(super) fn read(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    platform.own_account(call)?;
    let account = &platform.config.account;
    let body = json!({
        "uri": uri(platform, call),
        "id": account.id,
        "mainNumber": account.main_number,
        "status": "Confirmed",
        "setupWizardState": "Completed",
        "serviceInfo": { "brand": { "id": "1210", "name": "RingCentral (simulated)" } },
        "companyName": account.name,
        "regionalSettings": REGIONAL_SETTINGS,
    });
    Ok(reply::json(StatusCode::OK, &body))
}

/// Platform §9: v2 has the id as a string.
pub(super) fn read_v2(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    platform.own_account(call)?;
    let account = &platform.config.account;
    let body = json!({
        "id": account.id.to_string(),
        "companyName": account.name,
        "mainNumber": account.main_number,
        "status": "Confirmed",
    });
    Ok(reply::json(StatusCode::OK, &body))
}

/// Platform §5: whose the token is and what it allows. Assumed: no permission is needed.
pub(super) fn client_info(
    _: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let caller = &call.caller;
    let body = json!({
        "owner_id": caller.user.extension_id.to_string(),
        "scope": caller.scope,
        "endpoint_id": caller.endpoint_id,
        "client_id": caller.app.as_str(),
    });
    Ok(reply::json(StatusCode::OK, &body))
}

/// The account's own address.
pub(super) fn uri(platform: &Platform, call: &Call<'_>) -> String {
    let (base, id) = (&call.base, platform.config.account.id);
    format!("{base}/restapi/v1.0/account/{id}")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegionalSettings {
    home_country: Country,
    timezone: Timezone,
    language: Language,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Country {
    id: &'static str,
    name: &'static str,
    iso_code: &'static str,
}

#[derive(Serialize)]
struct Timezone {
    id: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Language {
    id: &'static str,
    locale_code: &'static str,
}

/// The same for the account and everybody in it.
pub(super) const REGIONAL_SETTINGS: RegionalSettings = RegionalSettings {
    home_country: Country {
        id: "1",
        name: "United States",
        iso_code: "US",
    },
    timezone: Timezone {
        id: "58",
        name: "US/Pacific",
    },
    language: Language {
        id: "1033",
        locale_code: "en-US",
    },
};
