//! Call logs, of one extension and of the company.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    platform::Platform,
    reply,
    resource_error::ResourceError,
    world::{CallKind, Extension, Party, PhoneCall, Whose},
};

use super::{
    Call, account, extensions,
    paging::{Beyond, Page, Size},
};

/// How much of each record is shown.
#[derive(Clone, Copy, Eq, PartialEq)]
enum View {
    Simple,
    Detailed,
}

/// One log: whose, and where it is.
struct Log {
    whose: Whose,
    address: String,
}

/// What a list is narrowed to. Nothing: everything.
struct Filter {
    directions: Vec<&'static str>,
    types: Vec<&'static str>,
}

impl Filter {
    fn of(call: &Call<'_>) -> Result<Self, ResourceError> {
        Ok(Self {
            directions: call.one_of("direction", &["Inbound", "Outbound"])?,
            types: call.one_of("type", &["Voice", "Fax"])?,
        })
    }

    fn is_empty(&self) -> bool {
        self.directions.is_empty() && self.types.is_empty()
    }

    fn accepts(&self, kind: CallKind) -> bool {
        (self.directions.is_empty() || self.directions.contains(&kind.direction))
            && (self.types.is_empty() || self.types.contains(&kind.medium))
    }
}

pub(super) fn of_extension(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let log = Log::of_extension(platform, call)?;
    list(platform, call, &log)
}

pub(super) fn of_company(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let log = Log::of_company(platform, call)?;
    list(platform, call, &log)
}

pub(super) fn record_of_extension(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let log = Log::of_extension(platform, call)?;
    read(platform, call, &log)
}

pub(super) fn record_of_company(
    platform: &mut Platform,
    call: &Call<'_>,
) -> Result<Response<Bytes>, ResourceError> {
    let log = Log::of_company(platform, call)?;
    read(platform, call, &log)
}

impl Log {
    fn of_extension(platform: &Platform, call: &Call<'_>) -> Result<Self, ResourceError> {
        let extension = platform.extension(call)?;
        let address = extensions::uri(platform, call, extension.id);
        Ok(Self {
            whose: Whose::Extension(extension.index),
            address: format!("{address}/call-log"),
        })
    }

    fn of_company(platform: &Platform, call: &Call<'_>) -> Result<Self, ResourceError> {
        platform.own_account(call)?;
        Ok(Self {
            whose: Whose::Company,
            address: format!("{}/call-log", account::uri(platform, call)),
        })
    }
}

/// Newest first. Platform §9: a call log leaves out totals. Assumed: without dates it is the whole log.
fn list(platform: &Platform, call: &Call<'_>, log: &Log) -> Result<Response<Bytes>, ResourceError> {
    let (from, to) = call.period()?;
    let filter = Filter::of(call)?;
    let view = view(call)?;
    let page = Page::of(
        call,
        match view {
            View::Simple => Size::CALL_LOG,
            View::Detailed => Size::DETAILED_CALL_LOG,
        },
    )?;
    let world = platform.world();
    let positions = world.logged(log.whose, call.now, from, to).rev();
    let (skip, take) = (page.offset(), page.size() + 1); // one more tells whether there is a next page
    let number = |position| world.call_number(log.whose, position);
    let mut numbers: Vec<u64> = if filter.is_empty() {
        positions.skip(skip).take(take).map(number).collect()
    } else {
        positions
            .map(number)
            .filter(|number| filter.accepts(world.call_kind(*number)))
            .skip(skip)
            .take(take)
            .collect()
    };
    let more = numbers.len() == take;
    numbers.truncate(page.size());
    let records = numbers
        .into_iter()
        .filter_map(|number| record(platform, call, log, &world.call(number), view))
        .collect();
    let body = page.body(call, &log.address, records, Beyond::More(more));
    Ok(reply::json(StatusCode::OK, &body))
}

fn read(platform: &Platform, call: &Call<'_>, log: &Log) -> Result<Response<Bytes>, ResourceError> {
    let view = view(call)?;
    let id = call.value("callRecordId");
    let found = id
        .parse()
        .ok()
        .and_then(|id| platform.world().find_call(log.whose, id, call.now));
    found
        .and_then(|found| record(platform, call, log, &found, view))
        .map(|body| reply::json(StatusCode::OK, &body))
        .ok_or_else(|| ResourceError::not_found("callRecordId", id))
}

fn view(call: &Call<'_>) -> Result<View, ResourceError> {
    let views = call.one_of("view", &["Simple", "Detailed"])?;
    Ok(match views.first() {
        Some(&"Detailed") => View::Detailed,
        Some(_) | None => View::Simple,
    })
}

/// Platform §9: ids of call records are strings.
fn record(
    platform: &Platform,
    call: &Call<'_>,
    log: &Log,
    found: &PhoneCall,
    view: View,
) -> Option<Value> {
    let extension = platform.world().extension(found.extension)?;
    let mut record = leg(platform, call, &extension, found);
    record["uri"] = format!("{}/{}", log.address, found.id).into();
    record["id"] = found.id.to_string().into();
    record["sessionId"] = (found.id / 7 + 400_000_000_000).to_string().into();
    if view == View::Detailed {
        let mut leg = leg(platform, call, &extension, found);
        leg["legType"] = match found.kind.direction {
            "Inbound" => "Accept",
            _ => "SipToPstnMetered",
        }
        .into();
        leg["master"] = true.into();
        record["legs"] = json!([leg]);
        record["lastModifiedTime"] = found.started_at.plus(found.duration).to_string().into();
    }
    Some(record)
}

/// What a record and its only leg have in common.
fn leg(platform: &Platform, call: &Call<'_>, extension: &Extension, found: &PhoneCall) -> Value {
    let inside = Party::inside(extension);
    let (from, to) = match found.kind.direction {
        "Inbound" => (&found.other, &inside),
        _ => (&inside, &found.other),
    };
    json!({
        "telephonySessionId": format!("s-{:016x}", found.session),
        "startTime": found.started_at.to_string(),
        "duration": found.duration.as_secs(),
        "durationMs": u64::try_from(found.duration.as_millis()).unwrap_or(u64::MAX),
        "type": found.kind.medium,
        "direction": found.kind.direction,
        "action": found.action,
        "result": found.result,
        "transport": "PSTN",
        "from": from,
        "to": to,
        "extension": {
            "id": extension.id,
            "uri": extensions::uri(platform, call, extension.id),
        },
    })
}
