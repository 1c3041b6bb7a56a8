//! Error answers: three shapes, odd fields, headers, and what is never printed.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use proptest::prelude::*;
use rc_auth_core::{Endpoint, Refusal, Timestamp, TokenError, TokenSet, Trouble, Verdict};

fn with(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).expect("a plain response")
}

fn refusal(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Refusal {
    Refusal::from_response(&with(status, headers, body))
}

const MODERN: &str = r#"{"error":"invalid_grant","error_description":"Token expired",
    "errors":[{"errorCode":"OAU-210","message":"Token expired"}]}"#;
const RESOURCE: &str = r#"{"errorCode":"TokenInvalid","message":"OAuth token is invalid",
    "errors":[{"errorCode":"OAU-149","message":"OAuth token is invalid"}]}"#;
const OLD: &str = r#"{"error":"invalid_grant","error_description":"Token expired"}"#;

fn codes(refusal: &Refusal) -> Vec<&str> {
    refusal.codes().iter().map(|code| code.as_str()).collect()
}

#[test]
fn all_three_shapes_are_read() {
    let modern = refusal(400, &[], MODERN);
    assert_eq!(modern.error(), Some("invalid_grant"));
    assert_eq!(codes(&modern), ["OAU-210"]);
    assert_eq!(modern.message(), Some("Token expired"));
    let resource = refusal(401, &[], RESOURCE);
    assert_eq!(resource.error(), None);
    assert_eq!(codes(&resource), ["OAU-149", "TokenInvalid"]);
    assert_eq!(resource.code().map(|code| code.as_str()), Some("OAU-149"));
    let old = refusal(400, &[], OLD);
    assert_eq!(old.error(), Some("invalid_grant"));
    assert_eq!(codes(&old), Vec::<&str>::new());
    for ends in [modern, old] {
        assert!(ends.ends_grant());
        assert_eq!(ends.verdict(Endpoint::Token), Verdict::SignInAgain);
    }
}

#[test]
fn parameter_details_of_any_shape_disturb_nothing() {
    for details in [
        r#""parameterName":"client_id","parameterValue":"x""#,
        r#""parameters":[{"parameterName":"client_id","parameterValue":"x"}]"#,
        r#""parameters":{"parameterName":["client_id"]}"#,
        r#""parameters":null,"parameterName":17"#,
        r#""parameters":"client_id","extra":{"deep":[[[]]]}"#,
    ] {
        let body = format!(
            r#"{{"error":"invalid_client","errors":[{{"errorCode":"OAU-153","message":"m",{details}}}]}}"#
        );
        let refusal = refusal(400, &[], body);
        assert_eq!(codes(&refusal), ["OAU-153"], "{details}");
        assert_eq!(refusal.verdict(Endpoint::Token), Verdict::FixApp);
    }
}

#[test]
fn odd_fields_cost_only_themselves() {
    for body in [
        r#"{"error":"invalid_grant","errors":"none"}"#,
        r#"{"error":"invalid_grant","errors":[null,7,"x",{"errorCode":7},{}]}"#,
        r#"{"error":"invalid_grant","error_description":{"a":1},"errorCode":["OAU-210"]}"#,
        r#"{"error":"invalid_grant","message":null,"status":1e999}"#,
    ] {
        let refusal = refusal(400, &[], body);
        assert_eq!(refusal.error(), Some("invalid_grant"), "{body}");
        assert_eq!(codes(&refusal), Vec::<&str>::new(), "{body}");
        assert!(refusal.ends_grant(), "{body}");
    }
}

#[test]
fn a_message_that_is_no_utf8_costs_only_itself() {
    let mut body = br#"{"error":"invalid_grant","error_description":"Jeton expir"#.to_vec();
    body.extend_from_slice(b"\xe9\"}");
    let refusal = refusal(400, &[], body);
    assert!(refusal.ends_grant());
}

#[test]
fn a_grant_is_ended_by_json_only() {
    for body in [
        "<html><body>invalid_grant OAU-213</body></html>",
        "",
        "invalid_grant",
        r#""invalid_grant""#,
        r#"["invalid_grant"]"#,
        r#"{"error":"invalid_grant""#,
        r#"{"error":["invalid_grant"]}"#,
        r#"{"error_description":"invalid_grant"}"#,
    ] {
        let challenge = r#"Bearer realm="r", error="invalid_grant""#;
        for status in [400, 401, 403] {
            let plain = refusal(status, &[], body);
            assert!(!plain.ends_grant(), "{status} {body}");
            if !plain.is_json() {
                let challenged = refusal(status, &[("www-authenticate", challenge)], body);
                assert!(!challenged.ends_grant(), "{status} {body}");
            }
        }
    }
}

#[test]
fn retry_after_is_believed_in_seconds_up_to_a_day() {
    let day = Duration::from_secs(24 * 3600);
    for (value, expected) in [
        ("60", Some(Duration::from_secs(60))),
        (" 7 ", Some(Duration::from_secs(7))),
        ("0", Some(Duration::ZERO)),
        ("86400", Some(day)),
        ("86401", Some(day)),
        ("18446744073709551615", Some(day)),
        ("99999999999999999999999999", Some(day)),
        ("-1", None),
        ("1.5", None),
        ("", None),
        ("soon", None),
        ("Fri, 31 Dec 2099 23:59:59 GMT", None),
    ] {
        let refusal = refusal(429, &[("retry-after", value)], "");
        assert_eq!(refusal.retry_after(), expected, "{value:?}");
        let wait = Verdict::Wait {
            retry_after: expected,
        };
        assert_eq!(refusal.verdict(Endpoint::Resource), wait, "{value:?}");
    }
    assert_eq!(refusal(429, &[], "").retry_after(), None);
    let back_off = Verdict::BackOff {
        retry_after: Some(Duration::from_secs(9)),
    };
    let refusal = refusal(503, &[("retry-after", "9")], "<html>");
    assert_eq!(refusal.verdict(Endpoint::Token), back_off);
}

#[test]
fn a_bearer_challenge_tells_a_dead_token_from_a_weak_one() {
    let verdict = |status, challenges: &[&str]| {
        let headers: Vec<_> = challenges
            .iter()
            .map(|value| ("www-authenticate", *value))
            .collect();
        refusal(status, &headers, "").verdict(Endpoint::Resource)
    };
    let invalid =
        r#"Bearer realm="RingCentral REST API", error="invalid_token", error_description="x""#;
    let weak = r#"Bearer error="insufficient_scope", scope="SMS""#;
    assert_eq!(verdict(401, &[invalid]), Verdict::RefreshAndRetry);
    assert_eq!(verdict(400, &[invalid]), Verdict::RefreshAndRetry);
    assert_eq!(verdict(403, &[weak]), Verdict::Permission);
    assert_eq!(verdict(401, &[weak]), Verdict::Permission);
    assert_eq!(
        verdict(401, &[r#"Basic realm="r""#, weak]),
        Verdict::Permission
    );
    assert_eq!(
        verdict(401, &["Bearer error=insufficient_scope"]),
        Verdict::Permission
    );
    let described = r#"Bearer error_description="error=insufficient_scope""#;
    assert_eq!(verdict(401, &[described]), Verdict::RefreshAndRetry);
    assert_eq!(
        verdict(401, &["Bearer realm=\"RingCentral REST API\""]),
        Verdict::RefreshAndRetry
    );
}

#[test]
fn request_ids_are_kept_when_harmless() {
    let id = "0a1b2c3d-0000-4000-8000-555010000000";
    assert_eq!(
        refusal(500, &[("RCRequestId", id)], "").request_id(),
        Some(id)
    );
    let long = "x".repeat(65);
    for odd in ["a b", "<script>", "", &long] {
        let kept = refusal(500, &[("RCRequestId", odd)], "")
            .request_id()
            .is_some();
        assert!(!kept || odd.is_empty(), "{odd}");
    }
}

#[test]
fn messages_are_short_and_without_control_characters() {
    let body = format!(r#"{{"message":"a\u0000\n\u001b[31m{}"}}"#, "x".repeat(1000));
    let refusal = refusal(400, &[], body);
    let message = refusal.message().expect("a message");
    assert_eq!(message.chars().count(), 300);
    assert!(!message.contains(char::is_control));
}

#[test]
fn statuses_are_told() {
    assert_eq!(refusal(418, &[], "").status(), StatusCode::IM_A_TEAPOT);
}

/// A server that repeats in every field what it was sent.
fn echo(secret: &str) -> Response<Bytes> {
    let text = serde_json::Value::from(secret);
    let body = format!(
        r#"{{"error":{text},"error_description":{text},"message":{text},"errorCode":{text},{text}:{text},
            "errors":[{{"errorCode":{text},"message":{text},"parameterValue":{text}}}]}}"#
    );
    let mut response = with(400, &[], body);
    let challenge = format!("Bearer error=\"{secret}\", error_description=\"{secret}\"");
    for (name, value) in [
        (header::WWW_AUTHENTICATE, challenge),
        (header::RETRY_AFTER, secret.into()),
    ] {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

proptest! {
    #[test]
    fn an_answer_that_repeats_a_secret_prints_nothing_of_it(secret in "[A-Za-z0-9_|.-]{30,80}[0-9]") {
        let response = echo(&secret);
        let refusal = Refusal::from_response(&response);
        let trouble = Trouble::Refused {
            refusal: Box::new(refusal.clone()),
            verdict: refusal.verdict(Endpoint::Token),
        };
        let error = TokenSet::from_response(&response, Timestamp::from_unix_millis(0));
        let error = error.expect_err("an error answer");
        let printed = format!(
            "{refusal} {refusal:?} {refusal:#?} {trouble} {trouble:?} {error} {error:?} {:?}",
            refusal.codes(),
        );
        prop_assert!(!printed.contains(&secret), "{}", printed);
        prop_assert!(matches!(error, TokenError::Refused(_)));
    }

    #[test]
    fn no_answer_panics(status in 300_u16..600, header in "\\PC{0,40}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut response = with(status, &[], body);
        for name in ["retry-after", "www-authenticate", "rcrequestid"] {
            if let Ok(value) = header.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        let refusal = Refusal::from_response(&response);
        for endpoint in [Endpoint::Token, Endpoint::Revoke, Endpoint::Resource] {
            let _verdict = refusal.verdict(endpoint);
        }
        let _printed = format!("{refusal} {refusal:?} {}", refusal.ends_grant());
    }
}
