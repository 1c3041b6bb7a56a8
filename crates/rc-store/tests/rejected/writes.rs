//! Faults of single writes and reads, of keys and of payloads.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rc_store::{
    DueAt, Expect, MemoryStore, RecordKey, StoreError, Stored, TokenStore, Version,
    conformance::checks::{payloads, races, reopened, scan, secrecy, sharing, versions},
};

use crate::{
    broken::{Answer, Broken, Place, Through, right, step},
    rejected,
};

/// A handle that answers from what it has read once, unless it wrote itself.
struct ReadThrough(Place, Mutex<HashMap<RecordKey, Stored>>);

impl Broken for ReadThrough {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            if let Some(stored) = self.1.lock().expect("no panic").get(key) {
                return Ok(Some(stored.clone()));
            }
            let stored = self.0.load(key).await?;
            let mut cache = self.1.lock().expect("no panic");
            cache.extend(stored.clone().map(|stored| (*key, stored)));
            Ok(stored)
        })
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        self.1.lock().expect("no panic").remove(key);
        self.0.save(key, payload, due, expect)
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        self.1.lock().expect("no panic").remove(key);
        self.0.delete(key, expect)
    }
}

/// Compares 8 bytes of the version when it deletes.
struct HalfVersion(Place);

impl Broken for HalfVersion {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        Box::pin(async move {
            let stored = self.0.load(key).await?.ok_or(StoreError::Conflict)?;
            if stored.version.as_bytes()[..8] != expect.as_bytes()[..8] {
                return Err(StoreError::Conflict);
            }
            self.0.delete(key, stored.version).await
        })
    }
}

/// Keys by the bytes that are left of them.
type Records = HashMap<Vec<u8>, Stored>;

/// A small map with the two steps of its compare-and-swap apart, keys as `name` makes them, and versions
/// that count from where the handle was opened.
struct Counting {
    inner: MemoryStore,
    records: Mutex<Records>,
    name: fn(&RecordKey) -> Vec<u8>,
    next: Option<AtomicU64>,
}

impl Counting {
    fn named(name: fn(&RecordKey) -> Vec<u8>) -> Through<Self> {
        Through(Self {
            inner: MemoryStore::new(),
            records: Mutex::default(),
            name,
            next: None,
        })
    }

    fn version(&self) -> Result<Version, StoreError> {
        let Some(next) = &self.next else {
            return Version::random();
        };
        let number = next.fetch_add(1, Ordering::SeqCst);
        Ok(Version::new(u128::from(number).to_be_bytes()))
    }

    fn current(&self, key: &RecordKey) -> Option<Stored> {
        let records = self.records.lock().expect("no panic");
        records.get(&(self.name)(key)).cloned()
    }
}

impl Broken for Counting {
    fn inner(&self) -> &MemoryStore {
        &self.inner
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        Box::pin(async move { Ok(self.current(key)) })
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        Box::pin(async move {
            let version = self.version()?;
            let now = self.current(key).map(|stored| stored.version);
            match (now, expect) {
                (None, Expect::Absent) => {}
                (Some(now), Expect::Version(expected)) if now == expected => {}
                _ => return Err(StoreError::Conflict),
            }
            let payload = payload.to_vec().into();
            let stored = Stored {
                payload,
                version,
                due,
            };
            let mut records = self.records.lock().expect("no panic");
            records.insert((self.name)(key), stored);
            Ok(version)
        })
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut records = self.records.lock().expect("no panic");
            match records.remove(&(self.name)(key)) {
                Some(stored) if stored.version == expect => Ok(()),
                _ => Err(StoreError::Conflict),
            }
        })
    }
}

fn whole(key: &RecordKey) -> Vec<u8> {
    key.as_bytes().to_vec()
}

fn cut_at_nul(key: &RecordKey) -> Vec<u8> {
    let bytes = key.as_bytes().iter().copied();
    bytes.take_while(|byte| *byte != 0).collect()
}

fn base64_in_one_case(key: &RecordKey) -> Vec<u8> {
    let text = BASE64_STANDARD.encode(key.as_bytes());
    text.to_lowercase().into_bytes()
}

fn counting_from_one() -> Through<Counting> {
    let mut store = Counting::named(whole);
    store.0.next = Some(AtomicU64::new(1));
    store
}

/// Reads payload and version in two steps.
struct TornLoad {
    place: Place,
    payload_first: bool,
}

impl Broken for TornLoad {
    fn inner(&self) -> &MemoryStore {
        &self.place
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        Box::pin(async move {
            let first = self.place.load(key).await?;
            step().await;
            let (Some(first), Some(second)) = (first, self.place.load(key).await?) else {
                return Ok(None);
            };
            let (payload, version) = match self.payload_first {
                true => (first, second),
                false => (second, first),
            };
            // The due time goes with the payload.
            Ok(Some(Stored {
                version: version.version,
                ..payload
            }))
        })
    }
}

/// What a store does to payloads.
struct Payloads {
    place: Place,
    edit: fn(&[u8]) -> Vec<u8>,
    limit: usize,
    /// Keys in the order they were made; the oldest goes when there are more than this.
    made: Option<Mutex<VecDeque<RecordKey>>>,
}

const ROOM: usize = 300;

impl Payloads {
    fn on(place: &Place) -> Self {
        Self {
            place: place.clone(),
            edit: <[u8]>::to_vec,
            limit: usize::MAX,
            made: None,
        }
    }

    async fn evict(&self, key: &RecordKey) -> Result<(), StoreError> {
        let Some(made) = &self.made else {
            return Ok(());
        };
        let oldest = {
            let mut made = made.lock().expect("no panic");
            made.push_back(*key);
            (made.len() > ROOM).then(|| made.pop_front()).flatten()
        };
        let Some(oldest) = oldest else { return Ok(()) };
        match self.place.load(&oldest).await? {
            Some(stored) => self.place.delete(&oldest, stored.version).await,
            None => Ok(()),
        }
    }
}

impl Broken for Payloads {
    fn inner(&self) -> &MemoryStore {
        &self.place
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        Box::pin(async move {
            let (size, limit) = (payload.len(), self.limit);
            if size > limit {
                return Err(StoreError::TooLarge { size, limit });
            }
            let edited = (self.edit)(payload);
            let version = self.place.save(key, &edited, due, expect).await?;
            self.evict(key).await?;
            Ok(version)
        })
    }
}

fn unix_line_ends(payload: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(payload.to_vec());
    text.map_or(payload.to_vec(), |text| text.replace("\r\n", "\n").into())
}

/// Prints the payload it saved last.
struct Printing(Place, Mutex<Vec<u8>>, fn(&[u8]) -> String);

impl Printing {
    fn on(place: &Place, print: fn(&[u8]) -> String) -> Through<Self> {
        Through(Self(place.clone(), Mutex::default(), print))
    }
}

impl Broken for Printing {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        *self.1.lock().expect("no panic") = payload.to_vec();
        self.0.save(key, payload, due, expect)
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = self.1.lock().expect("no panic");
        write!(f, "Printing({})", (self.2)(&payload))
    }
}

fn start_of(payload: &[u8]) -> String {
    let start = &payload[..payload.len().min(16)];
    String::from_utf8_lossy(start).into_owned()
}

rejected! { right;
    handle_with_a_stale_cache: (async |place: &Place| Through(ReadThrough(place.clone(), Mutex::default())))
        by sharing::load_sees_writes_of_another_handle saying "by another handle";
    deletion_that_compares_half_of_the_version: (async |place: &Place| Through(HalfVersion(place.clone())))
        by versions::version_with_one_flipped_bit_conflicts saying "delete of";
    versions_that_count_from_one_again: (async |_: &Place| counting_from_one())
        by reopened::reopened_store_does_not_reuse_versions saying "came again";
    load_of_an_old_payload_with_a_new_version:
        (async |place: &Place| Through(TornLoad { place: place.clone(), payload_first: true }))
        by races::load_during_writes_is_of_one_write saying "load: the version of write";
    load_of_a_new_payload_with_an_old_version:
        (async |place: &Place| Through(TornLoad { place: place.clone(), payload_first: false }))
        by races::load_during_writes_is_of_one_write saying "load: the version of write";
    keys_in_base64_of_one_case: (async |_: &Place| Counting::named(base64_in_one_case))
        by payloads::keys_that_are_hard_to_tell_apart_are_different_records saying "save of ";
    keys_cut_at_a_zero_byte: (async |_: &Place| Counting::named(cut_at_nul))
        by payloads::keys_that_are_hard_to_tell_apart_are_different_records saying "Conflict";
    payloads_with_other_line_ends:
        (async |place: &Place| Through(Payloads { edit: unix_line_ends, ..Payloads::on(place) }))
        by payloads::text_payload_is_kept_to_the_byte saying "one\\r\\n";
    limit_that_is_1000_bytes_too_low:
        (async |place: &Place| Through(Payloads { limit: 64 * 1024 - 1_000, ..Payloads::on(place) }))
        by payloads::largest_payload_is_kept saying "a limit of 64536 bytes";
    records_evicted_above_300: (async |place: &Place| Through(Payloads {
            made: Some(Mutex::default()), ..Payloads::on(place)
        }))
        by payloads::a_thousand_records_are_kept saying "700 are None";
    debug_with_the_payload_in_base64:
        (async |place: &Place| Printing::on(place, |payload| BASE64_STANDARD.encode(payload)))
        by secrecy::debug_hides_payloads;
    debug_with_the_payload_as_a_hex_list:
        (async |place: &Place| Printing::on(place, |payload| format!("{payload:02x?}")))
        by secrecy::debug_hides_payloads;
    debug_with_the_start_of_the_payload: (async |place: &Place| Printing::on(place, start_of))
        by secrecy::debug_hides_payloads;
    load_torn_between_two_reads_of_a_scan:
        (async |place: &Place| Through(crate::lists::TornScan(place.clone())))
        by scan::scan_during_writes_is_never_torn saying "scan: the version of write";
}

/// Two steps with nothing to wait for between them need two threads.
#[test]
fn comparing_and_writing_in_two_steps() {
    use rc_store::conformance::{Pace, run};
    let broken = || {
        let open = async |(): &()| Counting::named(whole);
        let check = races::one_of_two_writes_at_the_same_moment_wins;
        run(Pace::AsIs, || (), open, |site| site, check);
    };
    // On a busy machine the two threads may not run at the same moment: some tries more.
    let complaint = (0..8).find_map(|_| crate::complaint(broken));
    let complaint = complaint.expect("the fault is not noticed");
    assert!(complaint.contains("saves of"), "{complaint}");
}
