//! The records that are measured: as many as wanted, each known by its number.

use rc_store::{DueAt, RecordKey, Version};

/// About a token pair, in bytes.
pub(super) const PAYLOAD: usize = 2048;

/// The due times begin here, a second apart: 2026-01-01T00:00:00Z.
const FIRST_DUE: i64 = 1_767_225_600_000;

/// Keys are digests, so records that follow each other are far apart, as those of users are.
pub(super) fn key(number: u64) -> RecordKey {
    RecordKey::derive(&[b"store-lab bench", &number.to_be_bytes()])
}

/// The version that a record is filled with.
pub(super) fn version(number: u64) -> Version {
    let mut random = Random::new(number);
    let halves = [random.next().to_be_bytes(), random.next().to_be_bytes()].concat();
    Version::new(halves.first_chunk().copied().unwrap_or_default())
}

pub(super) fn due(number: u64) -> DueAt {
    DueAt::from_unix_millis(FIRST_DUE + number as i64 * 1000)
}

/// Bytes that no database can compress, as sealed ones are.
pub(super) fn payload(number: u64) -> Vec<u8> {
    let mut random = Random::new(!number);
    let words = (0..PAYLOAD / 8).flat_map(|_| random.next().to_le_bytes());
    words.collect()
}

/// Numbers without a pattern, the same in each run: SplitMix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
