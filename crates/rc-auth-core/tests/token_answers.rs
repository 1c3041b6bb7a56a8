//! Token answers: what is kept although other fields are odd, and what is never printed.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use proptest::prelude::*;
use rc_auth_core::{Secret, Timestamp, TokenError, TokenPair, TokenSet};
use serde_json::{Value, json};

const ARRIVED: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

fn read_bytes(status: u16, body: impl Into<Bytes>) -> Result<TokenSet, TokenError> {
    let response = Response::builder().status(status).body(body.into());
    TokenSet::from_response(&response.expect("a plain response"), ARRIVED)
}

fn read(body: &Value) -> TokenSet {
    read_bytes(200, body.to_string()).expect("an answer with tokens")
}

fn clear(token: Option<&Secret>) -> Option<&str> {
    token.map(Secret::expose)
}

fn after(seconds: f64) -> Timestamp {
    ARRIVED.saturating_add(Duration::from_secs_f64(seconds))
}

#[test]
fn a_full_answer_is_read_as_it_stands() {
    let set = read(&json!({
        "access_token": "U0pDMTFQ-access", "token_type": "bearer", "expires_in": 3599,
        "refresh_token": "U0pDMTFQ-refresh", "refresh_token_expires_in": 604_799,
        "scope": "ReadAccounts SMS", "owner_id": "12133895004", "endpoint_id": "e-1",
        "session_id": "s-1", "session_expires_in": 7200,
        "session_expiration_time": "2030-01-01T00:00:00.000Z", "unheard_of": {"a": [1]},
    }));
    assert_eq!(clear(set.access_token.as_ref()), Some("U0pDMTFQ-access"));
    assert_eq!(set.access_expires_at, after(3599.0));
    assert_eq!(set.access_lifetime_ms, 3_599_000);
    assert_eq!(clear(set.refresh_token.as_ref()), Some("U0pDMTFQ-refresh"));
    assert_eq!(set.refresh_expires_at, Some(after(604_799.0)));
    assert_eq!(set.scope, ["ReadAccounts", "SMS"]);
    assert_eq!(set.owner_id.as_deref(), Some("12133895004"));
    assert_eq!(set.endpoint_id.as_deref(), Some("e-1"));
    assert_eq!(set.session_id.as_deref(), Some("s-1"));
    assert_eq!(set.session_expires_at, Some(after(7200.0)));
}

#[test]
fn the_standard_fields_alone_are_enough() {
    let set = read(&json!({"access_token": "a", "token_type": "Bearer"}));
    assert_eq!(clear(set.access_token.as_ref()), Some("a"));
    assert_eq!(
        set.access_expires_at,
        ARRIVED.saturating_add(TokenSet::ASSUMED_LIFETIME)
    );
    assert_eq!((set.refresh_token, set.refresh_expires_at), (None, None));
    assert_eq!(
        (set.owner_id, set.session_id, set.session_expires_at),
        (None, None, None)
    );
    assert!(set.scope.is_empty());
}

#[test]
fn lifetimes_are_read_as_numbers_fractions_and_strings() {
    let assumed = TokenSet::ASSUMED_LIFETIME.as_secs_f64();
    for (expires_in, seconds) in [
        (json!(3600), 3600.0),
        (json!("3600"), 3600.0),
        (json!(" 3600 "), 3600.0),
        (json!(1.5), 1.5),
        (json!("1.5"), 1.5),
        (json!(0), 0.0),
        (json!(-1), 0.0),
        (json!("-3600"), 0.0),
        (json!("1e1"), 10.0),
        (json!(1e300), 10.0 * 365.0 * 86_400.0),
        (json!(u64::MAX), 10.0 * 365.0 * 86_400.0),
        (json!(null), assumed),
        (json!(true), assumed),
        (json!(""), assumed),
        (json!("NaN"), assumed),
        (json!("inf"), assumed),
        (json!("-inf"), assumed),
        (json!("an hour"), assumed),
        (json!([3600]), assumed),
        (json!({"seconds": 3600}), assumed),
    ] {
        let set = read(&json!({"access_token": "a", "expires_in": expires_in}));
        assert_eq!(set.access_expires_at, after(seconds), "{expires_in}");
        let lifetime = Duration::from_millis(set.access_lifetime_ms);
        assert_eq!(lifetime, Duration::from_secs_f64(seconds), "{expires_in}");
    }
    let set = read_bytes(200, r#"{"access_token":"a","expires_in":1e999}"#);
    let set = set.expect("a number out of range costs only itself");
    assert_eq!(set.access_expires_at, after(assumed));
}

#[test]
fn only_bearer_tokens_are_used_and_the_refresh_token_is_kept_anyway() {
    for (token_type, usable) in [
        (json!("bearer"), true),
        (json!("Bearer"), true),
        (json!("BEARER"), true),
        (json!(" bearer "), true),
        (json!(null), true),
        (json!(7), true),
        (json!("DPoP"), false),
        (json!("mac"), false),
        (json!(""), false),
    ] {
        let body = json!({"access_token": "a", "token_type": token_type, "refresh_token": "r"});
        let set = read(&body);
        assert_eq!(set.access_token.is_some(), usable, "{token_type}");
        assert_eq!(clear(set.refresh_token.as_ref()), Some("r"), "{token_type}");
    }
    assert!(read(&json!({"access_token": "a"})).access_token.is_some());
}

#[test]
fn ids_are_text_whether_they_come_as_numbers_or_strings() {
    for (id, text) in [
        (json!("12133895004"), Some("12133895004")),
        (json!(12_133_895_004_u64), Some("12133895004")),
        (json!(u64::MAX), Some("18446744073709551615")),
        (json!(""), None),
        (json!(null), None),
        (json!({"id": 1}), None),
    ] {
        let set = read(
            &json!({"access_token": "a", "owner_id": id, "session_id": id, "endpoint_id": id}),
        );
        assert_eq!(set.owner_id.as_deref(), text, "{id}");
        assert_eq!(set.session_id.as_deref(), text, "{id}");
        assert_eq!(set.endpoint_id.as_deref(), text, "{id}");
    }
}

#[test]
fn scope_is_split_at_spaces() {
    for (scope, expected) in [
        (json!("A  B "), vec!["A", "B"]),
        (json!(""), vec![]),
        (json!(null), vec![]),
        (json!(["A", "B"]), vec![]),
    ] {
        assert_eq!(
            read(&json!({"access_token": "a", "scope": scope})).scope,
            expected,
            "{scope}"
        );
    }
}

#[test]
fn unusable_tokens_are_no_tokens() {
    for token in [
        json!(""),
        json!(null),
        json!(7),
        json!(["a"]),
        json!("a\nb"),
        json!("é"),
        json!("a\u{0}"),
    ] {
        let body = json!({"access_token": token, "refresh_token": "r"});
        assert_eq!(read(&body).access_token, None, "{token}");
        let body = json!({"access_token": "a", "refresh_token": token});
        assert_eq!(read(&body).refresh_token, None, "{token}");
        let nothing = read_bytes(200, json!({"access_token": token}).to_string());
        assert!(
            matches!(nothing, Err(TokenError::Unreadable { .. })),
            "{token}"
        );
    }
}

#[test]
fn successes_without_tokens_are_unreadable() {
    for body in [
        "",
        "<html>Welcome to the hotel network</html>",
        r#"{"access_token":"a","refresh_tok"#,
        r#"{"access_token":"a"}{}"#,
        r#"[{"access_token":"a"}]"#,
        r#""access_token""#,
        "null",
        "{}",
        r#"{"error":"invalid_grant"}"#,
    ] {
        for status in [200, 201, 204] {
            let error = read_bytes(status, body).expect_err("no tokens");
            let TokenError::Unreadable { status: told, .. } = error else {
                panic!("{body} is no refusal");
            };
            assert_eq!(told, status, "{body}");
        }
    }
}

#[test]
fn tokens_beside_an_error_status_are_no_tokens() {
    let body = r#"{"access_token":"a","refresh_token":"r"}"#;
    for status in [302, 400, 500] {
        let error = read_bytes(status, body).expect_err("an error");
        assert!(matches!(error, TokenError::Refused(_)), "{status}");
    }
}

#[test]
fn no_other_field_costs_the_refresh_token() {
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for field in [
        r#""scope":"\ud800""#,
        r#""scope":1e999"#,
        r#""expires_in":-1e999"#,
        r#""access_token":"\udfff""#,
        &format!(r#""x":{deep}"#),
    ] {
        let body = format!(r#"{{{field},"refresh_token":"kept"}}"#);
        let set = read_bytes(200, body).expect(field);
        assert_eq!(clear(set.refresh_token.as_ref()), Some("kept"), "{field}");
    }
    let mut body = br#"{"scope":"caf"#.to_vec();
    body.extend_from_slice(b"\xe9\",\"refresh_token\":\"kept\"}");
    let set = read_bytes(200, body).expect("another encoding in another field");
    assert_eq!(clear(set.refresh_token.as_ref()), Some("kept"));
}

#[test]
fn what_a_refresh_leaves_out_stays() {
    let old = TokenPair::new(read(&json!({
        "access_token": "a1", "refresh_token": "r1", "refresh_token_expires_in": 100, "scope": "A",
        "owner_id": 7, "session_expires_in": 50,
    })));
    let kept = old.refreshed(read(&json!({"access_token": "a2", "expires_in": 10})));
    assert_eq!(clear(kept.access_token()), Some("a2"));
    assert_eq!(clear(kept.refresh_token()), Some("r1"));
    assert_eq!(kept.refresh_expires_at(), Some(after(100.0)));
    assert_eq!(kept.session_expires_at(), Some(after(50.0)));
    assert_eq!(
        (kept.scope(), kept.owner_id()),
        (&["A".to_owned()][..], Some("7"))
    );
    // The end of the old refresh token is not that of a new one.
    let renewed = old.refreshed(read(
        &json!({"access_token": "a2", "refresh_token": "r2", "scope": "B"}),
    ));
    assert_eq!(clear(renewed.refresh_token()), Some("r2"));
    assert_eq!(renewed.refresh_expires_at(), None);
    assert_eq!(renewed.scope(), ["B"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z_]{0,12}", inner, 0..4)
                .prop_map(|map| Value::from(serde_json::Map::from_iter(map))),
        ]
    })
}

fn any_answer() -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let name = prop_oneof![
        Just("access_token".to_owned()),
        Just("token_type".to_owned()),
        Just("expires_in".to_owned()),
        Just("refresh_token_expires_in".to_owned()),
        Just("scope".to_owned()),
        Just("owner_id".to_owned()),
        Just("session_expires_in".to_owned()),
        "[a-z_]{1,10}",
    ];
    proptest::collection::btree_map(name, any_json(), 0..8).prop_map(serde_json::Map::from_iter)
}

proptest! {
    #[test]
    fn a_usable_refresh_token_is_kept_whatever_stands_beside_it(
        mut answer in any_answer(),
        token in "[A-Za-z0-9._~+/=|-]{1,200}",
    ) {
        answer.insert("refresh_token".to_owned(), token.clone().into());
        let set = read(&Value::Object(answer));
        prop_assert_eq!(clear(set.refresh_token.as_ref()), Some(token.as_str()));
    }

    #[test]
    fn no_bytes_panic(status in 200_u16..600, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _set = read_bytes(status, bytes);
    }

    #[test]
    fn no_json_panics(status in 200_u16..600, body in any_json()) {
        let _set = read_bytes(status, body.to_string());
    }

    #[test]
    fn tokens_are_never_printed(access in "[A-Za-z0-9]{20,60}[0-9]", refresh in "[A-Za-z0-9]{20,60}[0-9]", cut in 0_usize..400, status in 200_u16..500) {
        let body = json!({"access_token": access, "refresh_token": refresh, "scope": "A"}).to_string();
        let whole = read_bytes(200, body.clone()).expect("tokens");
        let pair = TokenPair::new(whole.clone());
        let mut printed = format!("{whole:?} {whole:#?} {pair:?}");
        let cut = body[..cut.min(body.len())].to_owned();
        match read_bytes(status, cut) {
            Ok(set) => printed += &format!("{set:?}"),
            Err(error) => printed += &format!("{error} {error:?} {error:#?}"),
        }
        prop_assert!(!printed.contains(&access) && !printed.contains(&refresh), "{}", printed);
    }
}
