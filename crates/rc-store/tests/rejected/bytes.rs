//! Faults of what a store does to keys and payloads: each an edit on their way in.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use rc_store::{
    DueAt, Expect, Listed, MAX_PAYLOAD, MemoryStore, RecordKey, StoreError, Stored, TokenStore,
    Version,
    conformance::checks::{paging, payloads, scan, secrecy, version_queries},
};

use crate::{
    broken::{Answer, Broken, Place, Through, right},
    rejected,
};

/// Keeps every record under an edited key.
struct Keys(Place, fn(&RecordKey) -> RecordKey);

impl Keys {
    fn on(place: &Place, edit: fn(&RecordKey) -> RecordKey) -> Through<Self> {
        Through(Self(place.clone(), edit))
    }
}

impl Broken for Keys {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn load<'a>(&'a self, key: &'a RecordKey) -> Answer<'a, Option<Stored>> {
        Box::pin(async move { self.0.load(&(self.1)(key)).await })
    }

    fn save<'a>(
        &'a self,
        key: &'a RecordKey,
        payload: &'a [u8],
        due: Option<DueAt>,
        expect: Expect,
    ) -> Answer<'a, Version> {
        Box::pin(async move { self.0.save(&(self.1)(key), payload, due, expect).await })
    }

    fn versions<'a>(&'a self, keys: &'a [RecordKey]) -> Answer<'a, Vec<Option<Version>>> {
        Box::pin(async move {
            let keys: Vec<_> = keys.iter().map(self.1).collect();
            self.0.versions(&keys).await
        })
    }
}

/// A key of these bytes, filled up with zeros.
fn filled(bytes: &[u8]) -> RecordKey {
    let mut key = [0; 32];
    let length = bytes.len().min(32);
    key[..length].copy_from_slice(&bytes[..length]);
    RecordKey::new(key)
}

fn half(key: &RecordKey) -> RecordKey {
    filled(&key.as_bytes()[..16])
}

/// The two halves added: as short as [`half`], but of all bytes.
fn folded(key: &RecordKey) -> RecordKey {
    let (one, two) = key.as_bytes().split_at(16);
    let sum: Vec<u8> = one.iter().zip(two).map(|(one, two)| one ^ two).collect();
    filled(&sum)
}

/// What is no UTF-8 becomes a question mark, as some drivers do.
fn lossy(key: &RecordKey) -> RecordKey {
    let text = String::from_utf8_lossy(key.as_bytes());
    filled(text.replace('\u{fffd}', "?").as_bytes())
}

fn trimmed(key: &RecordKey) -> RecordKey {
    filled(key.as_bytes().trim_ascii())
}

fn upper_case(key: &RecordKey) -> RecordKey {
    filled(&key.as_bytes().to_ascii_uppercase())
}

fn seven_bits(key: &RecordKey) -> RecordKey {
    RecordKey::new(key.as_bytes().map(|byte| byte & 0x7f))
}

/// Edits payloads before they are kept; `None` keeps nothing.
struct Payloads(Place, fn(&[u8]) -> Option<Vec<u8>>);

impl Payloads {
    fn on(place: &Place, edit: fn(&[u8]) -> Option<Vec<u8>>) -> Through<Self> {
        Through(Self(place.clone(), edit))
    }
}

impl Broken for Payloads {
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
            if payload.len() > MAX_PAYLOAD {
                return self.0.save(key, payload, due, expect).await;
            }
            match (self.1)(payload) {
                Some(edited) => self.0.save(key, &edited, due, expect).await,
                None => Version::random(),
            }
        })
    }
}

fn lossy_text(payload: &[u8]) -> Option<Vec<u8>> {
    Some(String::from_utf8_lossy(payload).into_owned().into_bytes())
}

fn trimmed_text(payload: &[u8]) -> Option<Vec<u8>> {
    Some(payload.trim_ascii().to_vec())
}

fn trimmed_end(payload: &[u8]) -> Option<Vec<u8>> {
    Some(payload.trim_ascii_end().to_vec())
}

fn not_empty(payload: &[u8]) -> Option<Vec<u8>> {
    (!payload.is_empty()).then(|| payload.to_vec())
}

fn cut_at_zero(payload: &[u8]) -> Option<Vec<u8>> {
    let bytes = payload.iter().copied();
    Some(bytes.take_while(|byte| *byte != 0).collect())
}

/// What a column of 65,535 bytes keeps of 65,536.
fn cut_at_65535(payload: &[u8]) -> Option<Vec<u8>> {
    Some(payload[..payload.len().min(65_535)].to_vec())
}

fn without_zeros_at_the_end(payload: &[u8]) -> Option<Vec<u8>> {
    let end = payload.iter().rposition(|byte| *byte != 0);
    Some(payload[..end.map_or(0, |end| end + 1)].to_vec())
}

/// Takes payloads of any size.
struct NoLimit(Place);

impl Broken for NoLimit {
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
        let kept = &payload[..payload.len().min(MAX_PAYLOAD)];
        self.0.save(key, kept, due, expect)
    }
}

/// Notices that a payload is too large when it has written it.
struct LateLimit(Place);

impl Broken for LateLimit {
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
            let (size, limit) = (payload.len(), MAX_PAYLOAD);
            let kept = &payload[..size.min(limit)];
            let version = self.0.save(key, kept, due, expect).await?;
            match size > limit {
                true => Err(StoreError::TooLarge { size, limit }),
                false => Ok(version),
            }
        })
    }
}

/// Orders a scan by signed bytes.
struct SignedScan(Place);

impl Broken for SignedScan {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn scan(&self, after: Option<RecordKey>, limit: usize) -> Answer<'_, Vec<Listed>> {
        Box::pin(async move {
            let signed = |key: &RecordKey| key.as_bytes().map(|byte| byte as i8);
            let mut listed = self.0.scan(None, usize::MAX).await?;
            listed.sort_by_key(|record| signed(&record.key));
            listed.retain(|record| after.is_none_or(|after| signed(&record.key) > signed(&after)));
            listed.truncate(limit);
            Ok(listed)
        })
    }
}

/// Prints a payload in its `Debug`, or in the text of an error.
struct Talking(Place, fn(&[u8]) -> String);

impl Talking {
    fn on(place: &Place, print: fn(&[u8]) -> String) -> Through<Self> {
        Through(Self(place.clone(), print))
    }
}

impl Broken for Talking {
    fn inner(&self) -> &MemoryStore {
        &self.0
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut call = std::pin::pin!(self.0.scan(None, 10));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        if let std::task::Poll::Ready(Ok(listed)) = call.as_mut().poll(&mut context) {
            for stored in listed
                .iter()
                .filter_map(|record| record.stored.as_ref().ok())
            {
                f.write_str(&(self.1)(&stored.payload))?;
            }
        }
        Ok(())
    }
}

rejected! { right;
    keys_of_16_bytes: (async |place: &Place| Keys::on(place, half))
        by payloads::keys_that_differ_in_one_bit_are_different_records saying "Conflict";
    keys_folded_to_16_bytes: (async |place: &Place| Keys::on(place, folded))
        by payloads::keys_that_differ_in_one_bit_are_different_records saying "Conflict";
    keys_as_lossy_text: (async |place: &Place| Keys::on(place, lossy))
        by payloads::keys_that_differ_in_one_bit_are_different_records saying "Conflict";
    keys_without_spaces_at_their_ends: (async |place: &Place| Keys::on(place, trimmed))
        by payloads::keys_that_are_hard_to_tell_apart_are_different_records saying "Conflict";
    keys_in_upper_case: (async |place: &Place| Keys::on(place, upper_case))
        by version_queries::versions_tells_keys_apart_that_are_hard_to;
    keys_of_seven_bits: (async |place: &Place| Keys::on(place, seven_bits))
        by paging::due_lists_keys_that_are_hard_to_tell_apart;
    payloads_as_lossy_text: (async |place: &Place| Payloads::on(place, lossy_text))
        by payloads::binary_payload_is_kept;
    payloads_without_spaces_at_their_ends: (async |place: &Place| Payloads::on(place, trimmed_text))
        by payloads::text_payload_is_kept_to_the_byte saying "other bytes";
    payloads_without_line_ends_at_the_end: (async |place: &Place| Payloads::on(place, trimmed_end))
        by payloads::text_payload_is_kept_to_the_byte saying "one\\r\\n";
    empty_payload_taken_for_no_record: (async |place: &Place| Payloads::on(place, not_empty))
        by payloads::empty_payload_is_kept saying "got None";
    payloads_cut_at_a_zero_byte: (async |place: &Place| Payloads::on(place, cut_at_zero))
        by payloads::binary_payload_is_kept;
    payloads_cut_at_65535_bytes: (async |place: &Place| Payloads::on(place, cut_at_65535))
        by payloads::largest_payload_is_kept saying "the payload changed";
    payloads_without_zeros_at_the_end:
        (async |place: &Place| Payloads::on(place, without_zeros_at_the_end))
        by payloads::text_payload_is_kept_to_the_byte;
    limit_that_is_not_kept: (async |place: &Place| Through(NoLimit(place.clone())))
        by payloads::largest_payload_is_kept saying "more than 64 KiB was accepted";
    limit_noticed_after_writing: (async |place: &Place| Through(LateLimit(place.clone())))
        by payloads::too_large_payload_is_refused_before_anything_is_written saying "was written";
    scan_in_the_order_of_signed_bytes: (async |place: &Place| Through(SignedScan(place.clone())))
        by scan::scan_lists_records_whole_and_in_key_order;
    debug_with_the_payload_as_text: (async |place: &Place| {
            Talking::on(place, |payload| String::from_utf8_lossy(payload).into_owned())
        })
        by secrecy::debug_hides_payloads saying "Debug shows a payload";
    debug_with_the_payload_in_hexadecimal: (async |place: &Place| {
            Talking::on(place, |payload| payload.iter().map(|byte| format!("{byte:02X}")).collect())
        })
        by secrecy::debug_hides_payloads saying "Debug shows a payload";
    debug_with_the_payload_as_a_list_of_numbers: (async |place: &Place| {
            Talking::on(place, |payload| format!("{payload:?}"))
        })
        by secrecy::debug_hides_payloads saying "Debug shows a payload";
    debug_with_four_bytes_of_the_payload: (async |place: &Place| {
            Talking::on(place, |payload| BASE64_STANDARD.encode(&payload[..payload.len().min(4)]))
        })
        by secrecy::debug_hides_payloads saying "Debug shows a payload";
}
