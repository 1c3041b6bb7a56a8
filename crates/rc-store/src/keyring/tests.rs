use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::*;

/// A ring whose key bytes all equal `fill`.
fn ring(id: &str, fill: u8) -> KeyRing {
    entry(id, fill).parse().expect("a valid ring")
}

fn entry(id: &str, fill: u8) -> String {
    format!("{id}:{}", STANDARD.encode([fill; KEY_LEN]))
}

fn refused(text: &str) -> String {
    KeyRing::from_str(text)
        .expect_err("an invalid ring")
        .to_string()
}

#[test]
fn the_sealed_layout_is_stable() {
    let sealed = ring("k1", 7)
        .seal_with(&[0xee; NONCE_LEN], &[b"record", b"place"], b"a secret")
        .expect("sealed");
    let hex: Vec<String> = sealed.chunks(8).map(hex).collect();
    insta::assert_snapshot!(hex.join("\n"), @r"
    01026b31eeeeeeee
    eeeeeeeeeeeeeeee
    eeeeeeeeeeeeeeee
    eeeeeeee853a66be
    0d313e5d698202e4
    9df674e659ef711b
    7d25893e
    ");
    assert_eq!(
        *ring("k1", 7)
            .open(&[b"record", b"place"], &sealed)
            .expect("opens"),
        b"a secret"
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn associated_data_keep_their_parts_apart() {
    let data = |context: &[&[u8]]| envelope::associated_data("k1", context);
    assert_ne!(data(&[b"ab", b"c"]), data(&[b"a", b"bc"]));
    assert_ne!(data(&[b"a"]), data(&[b"a", b""]));
    assert_ne!(
        envelope::associated_data("k", &[b"1"]),
        envelope::associated_data("k1", &[b""])
    );
}

#[test]
fn every_flipped_bit_is_refused() {
    let ring = ring("k1", 7);
    let sealed = ring.seal(&[b"record"], b"a secret").expect("sealed");
    for bit in 0..sealed.len() * 8 {
        let mut edited = sealed.clone();
        edited[bit / 8] ^= 1 << (bit % 8);
        assert!(
            ring.open(&[b"record"], &edited).is_err(),
            "bit {bit} was flipped unnoticed"
        );
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let ring = ring("k1", 7);
    let mut sealed = ring.seal(&[b"record"], b"a secret").expect("sealed");
    for length in 0..sealed.len() {
        assert!(
            ring.open(&[b"record"], &sealed[..length]).is_err(),
            "cut to {length} bytes"
        );
    }
    sealed.push(0);
    assert_eq!(
        ring.open(&[b"record"], &sealed),
        Err(OpenError::NotAuthentic)
    );
}

#[test]
fn another_purpose_does_not_open_it() {
    let ring = ring("k1", 7);
    let cookie = ring.seal(&[b"cookie", b"x"], b"a secret").expect("sealed");
    for context in [
        &[&b"record"[..], b"x"][..],
        &[b"cookie"],
        &[b"cookiex"],
        &[],
    ] {
        assert_eq!(ring.open(context, &cookie), Err(OpenError::NotAuthentic));
    }
}

#[test]
fn older_keys_open_and_the_active_one_seals() {
    let old = ring("2025", 1)
        .seal(&[b"record"], b"a secret")
        .expect("sealed");
    let both: KeyRing = format!("{},{}", entry("2026", 2), entry("2025", 1))
        .parse()
        .expect("ring");
    assert_eq!(*both.open(&[b"record"], &old).expect("opens"), b"a secret");
    assert_eq!(both.active_id(), "2026");
    let new = both.seal(&[b"record"], b"a secret").expect("sealed");
    assert_eq!(
        ring("2025", 1).open(&[b"record"], &new),
        Err(OpenError::UnknownKey { id: "2026".into() })
    );
}

#[test]
fn another_key_of_the_same_id_is_refused() {
    let sealed = ring("k1", 1)
        .seal(&[b"record"], b"a secret")
        .expect("sealed");
    assert_eq!(
        ring("k1", 2).open(&[b"record"], &sealed),
        Err(OpenError::NotAuthentic)
    );
}

#[test]
fn a_key_id_nobody_can_have_given_is_not_printed() {
    let mut sealed = ring("k1", 1)
        .seal(&[b"record"], b"a secret")
        .expect("sealed");
    sealed[2] = b'\n';
    assert_eq!(
        ring("k1", 1).open(&[b"record"], &sealed),
        Err(OpenError::UnknownFormat)
    );
}

#[test]
fn two_seals_of_one_text_differ() {
    let ring = ring("k1", 7);
    let seal = || ring.seal(&[b"record"], b"a secret").expect("sealed");
    assert_ne!(seal(), seal());
}

#[test]
fn overhead_is_what_sealing_adds() {
    for id in ["k", "12345678901234567890123456789012"] {
        let ring = ring(id, 7);
        let sealed = ring.seal(&[b"record"], &[0; 100]).expect("sealed");
        assert_eq!(sealed.len(), 100 + ring.overhead());
        assert!(ring.overhead() <= KeyRing::MAX_OVERHEAD);
    }
}

#[test]
fn a_ring_is_written_as_it_is_read() {
    let text = format!("{},{}", entry("new_key", 2), entry("old-key", 1));
    let ring: KeyRing = format!(" {} \n", text.replace(',', " , "))
        .parse()
        .expect("ring");
    assert_eq!(*ring.to_text(), text);
    assert_eq!(ring.ids().collect::<Vec<_>>(), ["new_key", "old-key"]);
}

#[test]
fn the_padding_of_base64_may_be_missing() {
    let text = entry("k1", 7);
    let ring: KeyRing = text.trim_end_matches('=').parse().expect("ring");
    assert_eq!(*ring.to_text(), text);
}

#[test]
fn generated_keys_differ_and_bad_ids_are_refused() {
    let make = || KeyRing::generate("k1").expect("a ring").to_text();
    assert_ne!(make(), make());
    assert!(KeyRing::generate("k 1").is_err());
    assert!(KeyRing::generate("").is_err());
}

#[test]
fn debug_shows_ids_only() {
    let ring = ring("k1", 7);
    assert_eq!(format!("{ring:?}"), r#"["k1"]"#);
}

#[test]
fn a_wrong_ring_is_refused_with_its_place_and_an_example() {
    let short = format!("short:{}", STANDARD.encode([7; 31]));
    let problems = [
        ("empty", String::new()),
        ("no id", STANDARD.encode([7; 32])),
        (
            "bad id",
            format!("{},{}", entry("good", 1), entry("b d", 2)),
        ),
        ("long id", entry(&"x".repeat(33), 1)),
        (
            "not base64",
            format!("{},bad:not base64!", entry("good", 1)),
        ),
        ("wrong length", short),
        (
            "twice",
            format!("{},{},{}", entry("a", 1), entry("b", 2), entry("a", 3)),
        ),
        ("trailing comma", format!("{},", entry("a", 1))),
    ];
    let texts = problems.map(|(name, text)| {
        let error = refused(&text);
        format!(
            "{name}: {}",
            error.split_once("; ").expect("an example follows").0
        )
    });
    insta::assert_snapshot!(texts.join("\n"), @r"
    empty: there is no key
    no id: key 1 has no id and colon in front
    bad id: the id of key 2 is not 1 to 32 characters of A-Z a-z 0-9 _ -
    long id: the id of key 1 is not 1 to 32 characters of A-Z a-z 0-9 _ -
    not base64: key 2 (`bad`) is not base64
    wrong length: key 1 (`short`) has 31 bytes instead of 32
    twice: key 3 (`a`) has the id of key 1
    trailing comma: key 2 has no id and colon in front
    ");
    insta::assert_snapshot!(refused(""), @"there is no key; write `id:base64 of 32 bytes`, several separated by commas and the active one first, for example `2026a:` followed by the output of `openssl rand -base64 32`");
}

#[test]
fn errors_never_show_key_material() {
    let key = STANDARD.encode([7; 32]);
    for text in [
        key.clone(),
        format!(":{key}"),
        format!("k:{key}{key}"),
        format!("k:{key}!"),
    ] {
        let error = KeyRing::from_str(&text).expect_err("an invalid ring");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&key[..8]), "{shown}");
    }
}

#[test]
fn what_cannot_be_opened_is_explained() {
    let errors = [
        OpenError::UnknownKey { id: "2025".into() },
        OpenError::NotAuthentic,
        OpenError::UnknownFormat,
    ];
    insta::assert_snapshot!(errors.map(|error| error.to_string()).join("\n"), @r"
    sealed with the key `2025`, which is not in the key ring; add it behind the active key
    the seal does not match: edited, moved from another place, or sealed with another key of the same id
    not in a format this version can open: never sealed, or sealed by a newer version
    ");
}

proptest! {
    #[test]
    fn what_was_sealed_opens(
        plaintext: Vec<u8>,
        context: Vec<Vec<u8>>,
        id in "[A-Za-z0-9_-]{1,32}",
        fill: u8,
    ) {
        let ring = ring(&id, fill);
        let context: Vec<&[u8]> = context.iter().map(Vec::as_slice).collect();
        let sealed = ring.seal(&context, &plaintext).expect("sealed");
        let opened = ring.open(&context, &sealed).expect("opens");
        prop_assert_eq!(&*opened, &plaintext);
    }

    #[test]
    fn opening_any_bytes_never_panics(bytes: Vec<u8>) {
        prop_assert!(ring("k1", 7).open(&[b"record"], &bytes).is_err());
    }

    #[test]
    fn parsing_any_text_never_panics(text: String) {
        drop(KeyRing::from_str(&text));
    }
}
