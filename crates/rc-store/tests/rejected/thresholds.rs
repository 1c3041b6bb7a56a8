//! Faults of a write that show at one size, one number of calls or one version only.

use std::sync::atomic::{AtomicUsize, Ordering};

use rc_store::{
    DueAt, Expect, MAX_PAYLOAD, MemoryStore, RecordKey, StoreError, Stored, TokenStore, Version,
    conformance::checks::{many, payloads, sharing, versions},
};

use crate::{
    broken::{Answer, Broken, Place, Through, right, step},
    rejected,
};

/// A write on its way.
struct Write {
    payload: Vec<u8>,
    due: Option<DueAt>,
    expect: Expect,
    before: Option<Stored>,
    /// Which write of this store it is.
    number: usize,
    records: usize,
}

impl Write {
    /// The record as it is, whatever its version.
    fn expect_any(&mut self) {
        let version = self.before.as_ref().map(|stored| stored.version);
        self.expect = version.map_or(Expect::Absent, Expect::Version);
    }

    fn expects(&self, byte: u8) -> bool {
        self.expect == Expect::Version(Version::new([byte; 16]))
    }
}

/// What the fault does to a write, or what it answers instead.
type Fault = fn(&mut Write) -> Result<(), StoreError>;

struct Faulty {
    place: Place,
    fault: Fault,
    writes: AtomicUsize,
}

fn faulty(place: &Place, fault: Fault) -> Through<Faulty> {
    Through(Faulty {
        place: place.clone(),
        fault,
        writes: AtomicUsize::new(0),
    })
}

/// Edits payloads of these lengths.
fn cut(write: &mut Write, is_cut: impl Fn(usize) -> bool) -> Result<(), StoreError> {
    if is_cut(write.payload.len()) {
        write.payload.pop();
    }
    Ok(())
}

fn unpacked(write: &mut Write, mark: &[u8]) -> Result<(), StoreError> {
    if write.payload.starts_with(mark) {
        write.payload.drain(..mark.len());
    }
    Ok(())
}

fn refused_above(write: &Write, limit: usize, size: fn(usize) -> usize) -> Result<(), StoreError> {
    let size = size(write.payload.len());
    match size > limit {
        true => Err(StoreError::TooLarge { size, limit }),
        false => Ok(()),
    }
}

/// A size that is counted in 17 bits.
fn in_17_bits(write: &mut Write) -> Result<(), StoreError> {
    let size = write.payload.len() & 0x1_ffff;
    if size <= MAX_PAYLOAD {
        write.payload.truncate(size);
    }
    Ok(())
}

fn packet(write: &mut Write) -> Result<(), StoreError> {
    match write.payload.len() > 2 * MAX_PAYLOAD {
        true => Err(StoreError::unavailable("packet too large")),
        false => Ok(()),
    }
}

fn any_for(write: &mut Write, byte: u8) -> Result<(), StoreError> {
    if write.expects(byte) && write.before.is_some() {
        write.expect_any();
    }
    Ok(())
}

fn creates_for_zeros(write: &mut Write) -> Result<(), StoreError> {
    if write.expects(0) && write.before.is_none() {
        write.expect = Expect::Absent;
    }
    Ok(())
}

fn keeps_payload_of_write(write: &mut Write, number: usize) -> Result<(), StoreError> {
    if let Some(before) = write.before.as_ref().filter(|_| write.number == number) {
        write.payload = before.payload.to_vec();
    }
    Ok(())
}

fn loses_due_of_write(write: &mut Write, number: usize) -> Result<(), StoreError> {
    if write.number == number {
        write.due = None;
    }
    Ok(())
}

fn full(write: &mut Write) -> Result<(), StoreError> {
    match write.records >= 1_500 && write.before.is_none() {
        true => Err(StoreError::NotWritten("full".into())),
        false => Ok(()),
    }
}

fn keeps_equal_length(write: &mut Write) -> Result<(), StoreError> {
    let before = write.before.as_ref().map(|stored| stored.payload.to_vec());
    if let Some(before) = before.filter(|before| before.len() == write.payload.len()) {
        write.payload = before;
    }
    Ok(())
}

fn loses_due_when_made_again(write: &mut Write) -> Result<(), StoreError> {
    if write.records == 0 && write.number > 8 {
        write.due = None;
    }
    Ok(())
}

impl Broken for Faulty {
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
            let shown = format!("{:?}", self.place);
            let digits = shown.chars().filter(char::is_ascii_digit);
            let mut write = Write {
                payload: payload.to_vec(),
                due,
                expect,
                before: self.place.load(key).await?,
                number: 1 + self.writes.fetch_add(1, Ordering::SeqCst),
                records: digits.collect::<String>().parse().expect("a number"),
            };
            (self.fault)(&mut write)?;
            let Write {
                payload,
                due,
                expect,
                ..
            } = write;
            self.place.save(key, &payload, due, expect).await
        })
    }
}

/// Answers one write, by its number, and forgets it; or evicts one record for another above a number.
struct Forgetting(Place, AtomicUsize, Option<usize>);

const ROOM: usize = 1_100;

impl Broken for Forgetting {
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
        Box::pin(async move {
            let number = 1 + self.1.fetch_add(1, Ordering::SeqCst);
            if self.2 == Some(number) {
                return Version::random();
            }
            let evicts = self.2.is_none() && number > ROOM;
            if let Some(first) = self.0.scan(None, usize::from(evicts)).await?.pop() {
                self.0.delete(&first.key, first.stored?.version).await?;
            }
            self.0.save(key, payload, due, expect).await
        })
    }
}

/// Deletes without regard to the version: any for one of zeros; or, with two handles, in two steps.
struct Deleting(Place, bool);

impl Broken for Deleting {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn delete<'a>(&'a self, key: &'a RecordKey, expect: Version) -> Answer<'a, ()> {
        Box::pin(async move {
            let in_two_steps = self.1 && std::sync::Arc::strong_count(&self.0) > 2;
            let version = async || self.0.load(key).await.map(|now| now.map(|now| now.version));
            let any = match self.1 {
                true => in_two_steps && version().await? == Some(expect),
                false => expect == Version::new([0; 16]),
            };
            if in_two_steps {
                step().await;
            }
            match version().await?.filter(|_| any) {
                Some(version) => self.0.delete(key, version).await,
                None => self.0.delete(key, expect).await,
            }
        })
    }
}

rejected! { right;
    payloads_of_4097_bytes_cut: (async |place: &Place| faulty(place, |write| cut(write, |size| size == 4_097)))
        by payloads::payloads_of_many_lengths_are_kept saying "of 4097 bytes";
    payloads_of_a_power_of_two_cut: (async |place: &Place| faulty(place, |write| cut(write, usize::is_power_of_two)))
        by payloads::payloads_of_many_lengths_are_kept;
    payloads_of_65535_bytes_cut: (async |place: &Place| faulty(place, |write| cut(write, |size| size == 65_535)))
        by payloads::payloads_of_many_lengths_are_kept saying "of 65535 bytes";
    payloads_of_the_same_length_not_written: (async |place: &Place| faulty(place, keeps_equal_length))
        by payloads::payload_is_replaced_by_one_of_the_same_length;
    payloads_with_the_mark_of_gzip_unpacked:
        (async |place: &Place| faulty(place, |write| unpacked(write, b"\x1f\x8b")))
        by payloads::text_payload_is_kept_to_the_byte saying "compressed";
    payloads_read_as_hexadecimal_text: (async |place: &Place| faulty(place, |write| unpacked(write, b"\\x")))
        by payloads::text_payload_is_kept_to_the_byte;
    payloads_that_say_null_emptied: (async |place: &Place| faulty(place, |write| unpacked(write, b"NULL")))
        by payloads::text_payload_is_kept_to_the_byte saying "NULL";
    limit_that_is_one_byte_too_low:
        (async |place: &Place| faulty(place, |write| refused_above(write, MAX_PAYLOAD - 1, |size| size)))
        by payloads::largest_payload_is_kept saying "a limit of 65535 bytes";
    limit_told_as_the_size:
        (async |place: &Place| faulty(place, |write| refused_above(write, MAX_PAYLOAD, |size| size.min(MAX_PAYLOAD + 1))))
        by payloads::payloads_far_too_large_are_refused saying "size and limit";
    limit_of_17_bits: (async |place: &Place| faulty(place, in_17_bits))
        by payloads::payloads_far_too_large_are_refused;
    limit_of_a_packet_answered_as_unavailable: (async |place: &Place| faulty(place, packet))
        by payloads::payloads_far_too_large_are_refused saying "expected TooLarge";
    version_of_zeros_taken_for_any: (async |place: &Place| faulty(place, |write| any_for(write, 0)))
        by versions::version_of_zeros_or_ones_conflicts saying "save of";
    version_of_ones_taken_for_any: (async |place: &Place| faulty(place, |write| any_for(write, 0xff)))
        by versions::version_of_zeros_or_ones_conflicts saying "save of";
    version_of_zeros_that_creates: (async |place: &Place| faulty(place, creates_for_zeros))
        by versions::version_of_zeros_or_ones_conflicts saying "save of";
    deletion_of_any_version_by_zeros: (async |place: &Place| Through(Deleting(place.clone(), false)))
        by versions::version_of_zeros_or_ones_conflicts saying "delete of";
    deletion_in_two_steps_of_two_handles: (async |place: &Place| Through(Deleting(place.clone(), true)))
        by sharing::one_of_deletions_and_replacements_on_two_handles_wins saying "deletes and saves";
    payload_of_write_300_lost: (async |place: &Place| faulty(place, |write| keeps_payload_of_write(write, 300)))
        by many::every_one_of_many_writes_is_kept saying "after 299 replacements";
    due_of_write_300_lost: (async |place: &Place| faulty(place, |write| loses_due_of_write(write, 300)))
        by many::every_one_of_many_writes_is_kept saying "after 299 replacements";
    due_lost_when_made_again_and_again: (async |place: &Place| faulty(place, loses_due_when_made_again))
        by many::record_can_be_made_again_and_again;
    write_1200_lost: (async |place: &Place| Through(Forgetting(place.clone(), AtomicUsize::new(0), Some(1_200))))
        by many::thousands_of_records_are_listed;
    records_evicted_above_1100: (async |place: &Place| Through(Forgetting(place.clone(), AtomicUsize::new(0), None)))
        by many::thousands_of_records_are_listed;
    creations_refused_above_1500: (async |place: &Place| faulty(place, full))
        by many::thousands_of_records_are_listed saying "NotWritten";
}
