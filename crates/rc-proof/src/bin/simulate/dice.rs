//! Numbers by chance that follow a seed.

use std::time::Duration;

/// SplitMix64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Apart from all other dice of this seed by `stream` and `number`.
    pub(crate) fn new(seed: u64, stream: u64, number: u64) -> Self {
        let mut dice = Self(seed ^ stream.rotate_left(48) ^ number.rotate_left(24));
        dice.0 = dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `sides - 1`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }

    /// One of several.
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, values: [T; N]) -> T {
        values[usize::try_from(self.roll(N as u64)).unwrap_or_default()]
    }

    /// A time of at most `most`, in whole microseconds.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(self.roll(micros + 1))
    }
}
