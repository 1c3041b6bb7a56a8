//! How many refused code exchanges one browser address may cause.

use std::{num::NonZeroU32, str::FromStr, time::Duration};

/// A number of refused code exchanges in a window of time, for one browser address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CallbackLimit {
    /// How many are allowed; at most 1,000.
    pub refused: NonZeroU32,
    /// The length of the sliding window; whole seconds, at most a day.
    pub window: Duration,
}

/// A text that is no limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a limit is COUNT/SECONDSs, for example 3/60s")]
pub struct InvalidCallbackLimit;

impl Default for CallbackLimit {
    /// Three in 60 seconds: below RingCentral's five token requests a minute, so that one address cannot
    /// use them up, and enough for somebody who reloads an expired sign-in.
    fn default() -> Self {
        const THREE: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);
        Self {
            refused: THREE,
            window: Duration::from_secs(60),
        }
    }
}

impl FromStr for CallbackLimit {
    type Err = InvalidCallbackLimit;

    fn from_str(text: &str) -> Result<Self, InvalidCallbackLimit> {
        let (refused, window) = text.split_once('/').ok_or(InvalidCallbackLimit)?;
        let window = window.strip_suffix('s').ok_or(InvalidCallbackLimit)?;
        let refused: NonZeroU32 = refused.parse().map_err(|_| InvalidCallbackLimit)?;
        let seconds: u32 = window.parse().map_err(|_| InvalidCallbackLimit)?;
        if refused.get() > 1_000 || !(1..=86_400).contains(&seconds) {
            return Err(InvalidCallbackLimit);
        }
        Ok(Self {
            refused,
            window: Duration::from_secs(seconds.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_count_in_some_seconds() {
        assert_eq!("3/60s".parse(), Ok(CallbackLimit::default()));
        let widest: CallbackLimit = "1000/86400s".parse().unwrap();
        assert_eq!(
            (widest.refused.get(), widest.window.as_secs()),
            (1_000, 86_400)
        );
        for text in [
            "", "3", "3/60", "0/60s", "3/0s", "1001/60s", "3/86401s", "-1/60s", "3/60m", " 3/60s",
        ] {
            assert!(text.parse::<CallbackLimit>().is_err(), "{text:?}");
        }
    }
}
