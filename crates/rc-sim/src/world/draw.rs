//! Numbers that look random and follow from a key: cheap enough to look at ten thousand calls at once.

/// A sequence of numbers bound to a key and a subject. Not for secrets: those come from the seed itself.
///
/// The generator is SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(key: u64, subject: u64) -> Self {
        Self(mix(key ^ mix(subject)))
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.number().checked_rem(bound).unwrap_or(0)
    }

    /// One of the entries.
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, entries: &[T; N]) -> T {
        entries[(self.number() % N as u64) as usize]
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
