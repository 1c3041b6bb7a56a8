//! The platform's clock.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Refusal};
use crate::platform::Platform;

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
