//! The platform's clock.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Refusal, bad_request};
use crate::platform::Platform;

/// A hundred years, in seconds.
const FARTHEST: u64 = 100 * 365 * 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Skew {
    milliseconds: i64,
}

pub(super) fn show(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    Ok(tell(platform, call))
}

pub(super) fn advance(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    let Advance { seconds } = call.read()?;
    if seconds > FARTHEST {
        return Err(bad_request("a clock is advanced by 100 years at most"));
    }
    platform.advance(Duration::from_secs(seconds));
    Ok(tell(platform, call))
}

pub(super) fn freeze(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    platform.freeze_clock(call.now);
    Ok(tell(platform, call))
}

pub(super) fn unfreeze(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    call.reads_nothing()?;
    platform.unfreeze_clock(call.now);
    Ok(tell(platform, call))
}

pub(super) fn skew(platform: &mut Platform, call: &Call<'_>) -> Result<Value, Refusal> {
    let Skew { milliseconds } = call.read()?;
    if milliseconds.unsigned_abs() / 1_000 > FARTHEST {
        return Err(bad_request("a clock is 100 years wrong at most"));
    }
    platform.skew_clock(milliseconds);
    Ok(tell(platform, call))
}

fn tell(platform: &Platform, call: &Call<'_>) -> Value {
    json!({
        "now": platform.clock(call.now).to_string(),
        "frozen": platform.clock.is_frozen(),
        "skew_milliseconds": platform.clock.skew_millis(),
    })
}
