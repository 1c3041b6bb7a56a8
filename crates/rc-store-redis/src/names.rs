//! The names of keys, and the members of the sorted sets.

use rc_store::{Due, DueAt, DueCursor, RecordKey, Version};

/// How many hash tags there are: they spread over the masters of a Cluster, and the record and the indexes
/// of one tag live in one slot, so that one script may change them together.
pub(crate) const TAGS: usize = 64;

/// One hash tag, below [`TAGS`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Tag(u8);

impl Tag {
    pub(crate) fn of(key: &RecordKey) -> Self {
        Self(key.as_bytes()[0] & 63)
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..TAGS as u8).map(Self)
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The slot of a Cluster: CRC-16/XMODEM of what stands between the braces.
    pub(crate) fn slot(self) -> u16 {
        let mut crc = 0_u16;
        for byte in self.0.to_string().bytes() {
            crc ^= u16::from(byte) << 8;
            for _ in 0..8 {
                let carry = crc & 0x8000 != 0;
                crc <<= 1;
                if carry {
                    crc ^= 0x1021;
                }
            }
        }
        crc % 16384
    }
}

/// The names under one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn record(&self, key: &RecordKey) -> String {
        let Tag(tag) = Tag::of(key);
        format!("{}{{{tag}}}:r:{}", self.prefix, key.to_hex())
    }

    /// The sorted set of what is due.
    pub(crate) fn due(&self, Tag(tag): Tag) -> String {
        format!("{}{{{tag}}}:due", self.prefix)
    }

    /// The sorted set of all keys.
    pub(crate) fn keys(&self, Tag(tag): Tag) -> String {
        format!("{}{{{tag}}}:keys", self.prefix)
    }

    /// A key that never exists.
    pub(crate) fn probe(&self, Tag(tag): Tag) -> String {
        format!("{}{{{tag}}}:probe", self.prefix)
    }

    pub(crate) fn channel(&self) -> String {
        format!("{}changes", self.prefix)
    }

    /// Holds the version of this layout. It has the first tag, so that its place is known.
    pub(crate) fn schema(&self) -> String {
        format!("{}{{0}}:schema", self.prefix)
    }
}

/// 16 hexadecimal digits in the order of the times: the sign bit is turned over.
pub(crate) fn due_text(due: DueAt) -> String {
    format!("{:016x}", due.unix_millis().cast_unsigned() ^ SIGN)
}

const SIGN: u64 = 1 << 63;

/// What [`due_text`] wrote.
pub(crate) fn due_at(text: &str) -> Option<DueAt> {
    let bits = u64::from_str_radix(text, 16).ok()?;
    Some(DueAt::from_unix_millis((bits ^ SIGN).cast_signed()))
}

/// The member of a `due` set.
pub(crate) fn cursor_text(cursor: DueCursor) -> String {
    due_text(cursor.due) + &cursor.key.to_hex()
}

/// What the scripts wrote as a member of a `due` set.
pub(crate) fn due_member(text: &str) -> Option<Due> {
    let (due, key) = text.split_at_checked(16)?;
    Some(Due {
        key: RecordKey::from_hex(key)?,
        due: due_at(due)?,
    })
}

pub(crate) fn version_text(version: Version) -> String {
    format!("{:032x}", u128::from_be_bytes(*version.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_texts_have_the_order_of_the_times_and_go_back() {
        let times = [i64::MIN, -1, 0, 1, (1 << 53) + 1, i64::MAX];
        let texts = times.map(|time| due_text(DueAt::from_unix_millis(time)));
        assert!(texts.is_sorted(), "{texts:?}");
        let back = texts.map(|text| due_at(&text).map(DueAt::unix_millis));
        assert_eq!(back, times.map(Some));
    }

    #[test]
    fn slots_are_those_of_a_cluster() {
        // What `CLUSTER KEYSLOT` answers.
        assert_eq!(Tag(0).slot(), 13907);
        assert_eq!(Tag(63).slot(), 10499);
    }
}
