//! Sealing and opening, and the bare cipher doing the same.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use chacha20poly1305::{AeadInOut as _, KeyInit as _, XChaCha20Poly1305, XNonce};
use rc_store::{KeyRing, Zeroizing};

use super::{micros, percentile, records, say, text};

const SAMPLES: usize = 2000;

/// One sample is so many of them, because one takes microseconds.
const AT_ONCE: u32 = 20;

/// What a record's seal vouches for besides its payload: a key and a due time.
const CONTEXT: [&[u8]; 3] = [b"record", &[7; 32], &[1; 8]];

const NONCE: usize = 24;

pub(super) fn measure() -> Result<(), String> {
    let ring = KeyRing::generate("bench").map_err(text)?;
    let payload = records::payload(1);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        ours.push(time(|| {
            let sealed = ring.seal(&CONTEXT, black_box(&payload)).map_err(text)?;
            black_box(ring.open(&CONTEXT, &sealed).map_err(text)?);
            Ok(())
        })?);
        theirs.push(time(|| {
            let sealed = bare_seal(black_box(&payload))?;
            black_box(bare_open(&sealed)?);
            Ok(())
        })?);
    }
    let [ours, theirs] = [ours, theirs].map(|mut times| micros(percentile(&mut times, 50)));
    say(&["pair", "seal and open 2 KiB", "1", &ours, &theirs]);
    Ok(())
}

fn time(work: impl Fn() -> Result<(), String>) -> Result<Duration, String> {
    let started = Instant::now();
    for _ in 0..AT_ONCE {
        work()?;
    }
    Ok(started.elapsed() / AT_ONCE)
}

/// The same bytes as the ring vouches for, laid out by hand beforehand.
const DATA: [u8; 92] = [7; 92];

fn cipher() -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&black_box([9; 32]).into())
}

fn bare_seal(plaintext: &[u8]) -> Result<Vec<u8>, String> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(text)?;
    let mut sealed = Vec::with_capacity(NONCE + plaintext.len() + 16);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plaintext);
    let place = (&mut sealed[NONCE..]).into();
    let tag = cipher().encrypt_inout_detached(&XNonce::from(nonce), &DATA, place);
    sealed.extend_from_slice(&tag.map_err(text)?);
    Ok(sealed)
}

fn bare_open(sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or("no nonce")?;
    let mut plaintext = Zeroizing::new(sealed.to_vec());
    let opened = cipher().decrypt_in_place(&XNonce::from(*nonce), &DATA, &mut *plaintext);
    opened.map_err(text)?;
    Ok(plaintext)
}
