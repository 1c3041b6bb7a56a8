use rc_store::{Change, RecordKey, Version};

use super::{changes::parse, notice};

#[test]
fn a_notice_names_what_was_written() {
    let key = RecordKey::derive(&[b"grant"]);
    for version in [
        None,
        Some(Version::new([0xa7; 16])),
        Some(Version::new([0; 16])),
    ] {
        assert_eq!(
            parse(&notice(&key, version)),
            Some(Change::Key { key, version })
        );
    }
}

#[test]
fn a_notice_of_somebody_else_names_nothing() {
    let key = RecordKey::derive(&[b"grant"]).to_hex();
    for text in ["", "hello", &"é".repeat(40), &key[1..], &format!("{key}00")] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}
