use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    Expect, StoreError, TokenStore,
    conformance::{
        Subject,
        steps::{create, delete, explained, key, largest_payload, present, replace},
    },
};

/// Made up, and without a part that anybody would print for another reason.
pub(super) const SECRET: &str = "Qzx7-Jwv4-Kqy9-Xzj3-Wvq8";

/// So many bytes of the secret in a row are a leak.
const PART: usize = 4;

/// The numbers in a text, read to this base, where they are bytes.
fn numbers(text: &str, base: u32) -> Vec<u8> {
    let text = text.to_lowercase().replace("0x", " ");
    let words = text.split(|character: char| !character.is_digit(base));
    words
        .filter_map(|word| u8::from_str_radix(word, base).ok())
        .collect()
}

/// Whether a part of the secret shows, forwards or backwards: as text, as a list of numbers (decimal,
/// hexadecimal, octal, binary), in hexadecimal or binary digits, or in base64.
pub(super) fn shows_secret(text: &str) -> bool {
    let backwards: String = text.chars().rev().collect();
    shows_forwards(text) || shows_forwards(&backwards)
}

fn shows_forwards(text: &str) -> bool {
    let secret = SECRET.as_bytes();
    let lists = [10, 16, 8, 2].map(|base| numbers(text, base));
    let packed: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let packed = packed.to_lowercase();
    let part_shows = secret.windows(PART).any(|part| {
        let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
        let bits: String = part.iter().map(|byte| format!("{byte:08b}")).collect();
        let listed = |list: &Vec<u8>| list.windows(PART).any(|window| window == part);
        let as_text = text.as_bytes().windows(PART).any(|window| window == part);
        as_text || packed.contains(&hex) || packed.contains(&bits) || lists.iter().any(listed)
    });
    // Three bytes are four digits of base64, whatever stands before them.
    let base64 = (0..3).any(|start| {
        let digits = BASE64_STANDARD.encode(&secret[start..start + 12]);
        let url_safe = digits.replace('+', "-").replace('/', "_");
        text.contains(&digits[..5]) || text.contains(&url_safe[..5])
    });
    part_shows || base64
}

pub async fn debug_hides_payloads(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(1), SECRET.as_bytes(), None).await;
    assert_debug_hides_payloads(&store, "a save").await;
    let version = present(&store, &key(1)).await.version;
    let version = replace(&store, &key(1), b"another", None, version).await;
    let _conflict = store
        .save(&key(1), SECRET.as_bytes(), None, Expect::Absent)
        .await;
    assert_debug_hides_payloads(&store, "a conflict and a replacement").await;
    let version = replace(&store, &key(1), SECRET.as_bytes(), None, version).await;
    delete(&store, &key(1), version).await;
    assert!(
        !shows_secret(&format!("{store:?} {store:#?}")),
        "Debug of the store shows a payload after a deletion"
    );
}

/// The store at work: many records, the secret refused and deleted, and among other bytes.
pub async fn debug_hides_payloads_of_every_call(subject: Subject<'_>) {
    let store = subject.open().await;
    let large = SECRET.repeat(80);
    for number in 1..13 {
        create(&store, &key(number), large.as_bytes(), None).await;
    }
    assert_debug_hides_payloads(&store, "a dozen saves").await;
    let too_large = SECRET.repeat(4_000);
    let refused = store
        .save(&key(0), too_large.as_bytes(), None, Expect::Absent)
        .await;
    assert!(refused.is_err(), "save of {} bytes", too_large.len());
    assert_debug_hides_payloads(&store, "a save that was too large").await;
    let version = present(&store, &key(1)).await.version;
    delete(&store, &key(1), version).await;
    create(&store, &key(1), b"another", None).await;
    assert_debug_hides_payloads(&store, "a deletion").await;
}

async fn assert_debug_hides_payloads(store: &dyn TokenStore, when: &str) {
    let stored = present(store, &key(1)).await;
    let listed = store.scan(None, 10).await.expect("scan works");
    for shown in [
        format!("{store:?}"),
        format!("{store:#?}"),
        format!("{stored:?} {listed:?}"),
    ] {
        assert!(
            !shows_secret(&shown),
            "Debug shows a payload after {when}: {shown}"
        );
    }
}

pub async fn errors_hide_payloads(subject: Subject<'_>) {
    let store = subject.open().await;
    create(&store, &key(1), SECRET.as_bytes(), None).await;
    let large = SECRET.repeat(largest_payload(&store).await / SECRET.len() + 1);
    let conflict = store
        .save(&key(1), SECRET.as_bytes(), None, Expect::Absent)
        .await;
    let too_large = store
        .save(&key(2), large.as_bytes(), None, Expect::Absent)
        .await;
    assert!(
        matches!(conflict, Err(StoreError::Conflict)),
        "{conflict:?}"
    );
    assert!(
        matches!(too_large, Err(StoreError::TooLarge { .. })),
        "{too_large:?}"
    );
    for error in [conflict, too_large].into_iter().filter_map(Result::err) {
        let shown = format!("{} {error:?}", explained(&error));
        assert!(!shows_secret(&shown), "{shown}");
    }
}
