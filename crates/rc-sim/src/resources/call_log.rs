//! Call logs, of one extension and of the company.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::{
    platform::Platform,
    reply,
    resources::error::ResourceError,
    world::{CallKind, Extension, Party, PhoneCall, Whose},
};

use super::{
    Call, account, extensions,
    paging::{Beyond, Page, Size},
};

/// What session ids are above the ids of records. Assumed: the two differ.
const FIRST_SESSION: u64 = 400_000_000_000;

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
    let records: Vec<Record> = numbers
        .into_iter()
        .filter_map(|number| record(platform, call, log, world.call(number), view))
        .collect();
    let body = page.body(call, &log.address, records, Beyond::More(more));
    Ok(reply::json(StatusCode::OK, &body))
}

fn read(platform: &Platform, call: &Call<'_>, log: &Log) -> Result<Response<Bytes>, ResourceError> {
    let view = view(call)?;
    let id = call.value("callRecordId");
    let found = call
        .id("callRecordId")
        .and_then(|id| platform.world().find_call(log.whose, id, call.now));
    found
        .and_then(|found| record(platform, call, log, found, view))
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

/// A call record. Platform §9: its id is a string.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    uri: String,
    id: String,
    session_id: String,
    #[serde(flatten)]
    leg: Leg,
    /// Only in the detailed view; the simulated calls have one leg each.
    #[serde(skip_serializing_if = "Option::is_none")]
    legs: Option<[DetailedLeg; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified_time: Option<String>,
}

/// What a record and its leg have in common.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Leg {
    telephony_session_id: String,
    start_time: String,
    duration: u64,
    duration_ms: u64,
    r#type: &'static str,
    direction: &'static str,
    action: &'static str,
    result: &'static str,
    transport: &'static str,
    from: Party,
    to: Party,
    extension: Owner,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DetailedLeg {
    #[serde(flatten)]
    leg: Leg,
    leg_type: &'static str,
    master: bool,
}

#[derive(Clone, Serialize)]
struct Owner {
    id: u64,
    uri: String,
}

fn record(
    platform: &Platform,
    call: &Call<'_>,
    log: &Log,
    found: PhoneCall,
    view: View,
) -> Option<Record> {
    let extension = platform.world().extension(found.extension)?;
    let (id, kind) = (found.id, found.kind);
    let ended_at = found.started_at.plus(found.duration);
    let leg = leg(platform, call, &extension, found);
    let detailed = (view == View::Detailed).then(|| DetailedLeg {
        leg: leg.clone(),
        leg_type: match kind.direction {
            "Inbound" => "Accept",
            _ => "SipToPstnMetered",
        },
        master: true,
    });
    Some(Record {
        uri: format!("{}/{id}", log.address),
        id: id.to_string(),
        session_id: FIRST_SESSION.saturating_add(id).to_string(),
        last_modified_time: detailed.as_ref().map(|_| ended_at.to_string()),
        legs: detailed.map(|leg| [leg]),
        leg,
    })
}

fn leg(platform: &Platform, call: &Call<'_>, extension: &Extension, found: PhoneCall) -> Leg {
    let (inside, outside) = (Party::inside(extension), found.other);
    let (from, to) = match found.kind.direction {
        "Inbound" => (outside, inside),
        _ => (inside, outside),
    };
    Leg {
        telephony_session_id: format!("s-{:016x}", found.session),
        start_time: found.started_at.to_string(),
        duration: found.duration.as_secs(),
        duration_ms: u64::try_from(found.duration.as_millis()).unwrap_or(u64::MAX),
        r#type: found.kind.medium,
        direction: found.kind.direction,
        action: found.action,
        result: found.result,
        transport: "PSTN",
        from,
        to,
        extension: Owner {
            id: extension.id,
            uri: extensions::uri(platform, call, extension.id),
        },
    }
}
