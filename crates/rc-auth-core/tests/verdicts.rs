//! Every code of the platform's table, and what each calls for, on each endpoint.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use rc_auth_core::{Endpoint, Refusal, Verdict};

fn refusal(status: u16, body: impl Into<Bytes>) -> Refusal {
    let response = Response::builder().status(status).body(body.into());
    Refusal::from_response(&response.expect("a plain response"))
}

/// What the table calls for: its own letters.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Refresh and retry; never an answer to a token request.
    R,
    /// Sign in again.
    L,
    /// Sign in again, and as the answer to a refresh the end of the grant.
    Dead,
    /// On a resource refresh and retry; as the answer to a refresh the end of the grant.
    RDead,
    /// On a resource a matter of permissions; as the answer to a refresh the end of the grant.
    PDead,
    /// The app or its configuration.
    C,
    P,
    T,
    B,
    S,
}

use Act::{B, C, Dead, L, P, PDead, R, RDead, S, T};

/// Code, status, act. Where no status is recorded, 400. Written from the platform's published table and
/// from recorded answers, apart from the table in the crate.
const CODES: &[(&str, u16, Act)] = &[
    ("OAU-101", 403, C),
    ("OAU-102", 403, P),
    ("OAU-105", 403, P),
    ("OAU-106", 403, L),
    ("OAU-108", 403, L),
    ("OAU-110", 403, L),
    ("OAU-109", 403, C),
    ("OAU-111", 400, B),
    ("OAU-112", 403, C),
    ("OAU-125", 401, C),
    ("OAU-113", 403, C),
    ("OAU-116", 403, C),
    ("OAU-117", 403, C),
    ("OAU-119", 403, P),
    ("OAU-120", 401, C),
    ("OAU-121", 401, C),
    ("OAU-127", 401, C),
    ("OAU-123", 401, B),
    ("OAU-134", 401, B),
    ("OAU-151", 401, B),
    ("OAU-128", 401, R),
    ("OAU-129", 401, R),
    ("OAU-136", 401, Dead),
    ("OAU-232", 400, Dead),
    ("OAU-140", 401, L),
    ("OAU-140", 400, L),
    // Final only when the token endpoint says it.
    ("OAU-141", 401, PDead),
    ("OAU-142", 401, PDead),
    ("OAU-146", 401, C),
    ("OAU-147", 400, P),
    ("OAU-148", 400, P),
    // Comes with the category `TokenInvalid`, which calls for one refresh before anything else.
    ("OAU-149", 401, R),
    ("OAU-150", 400, B),
    ("OAU-152", 400, C),
    ("OAU-153", 400, C),
    ("OAU-156", 400, C),
    ("OAU-163", 400, P),
    ("OAU-164", 400, C),
    ("OAU-165", 400, C),
    ("OAU-167", 403, P),
    ("OAU-168", 401, C),
    ("OAU-210", 400, Dead),
    ("OAU-211", 400, Dead),
    ("OAU-213", 400, RDead),
    ("OAU-213", 401, RDead),
    ("OAU-222", 400, Dead),
    ("OAU-236", 400, Dead),
    ("OAU-250", 400, C),
    ("OAU-251", 400, C),
    ("OAU-270", 400, C),
    ("OAU-331", 400, C),
    ("OAU-347", 400, C),
    ("OAU-473", 400, C),
    ("AGW-401", 401, B),
    ("AGW-402", 401, R),
    ("AGW-404", 404, B),
    ("CMN-101", 400, B),
    ("CMN-101", 403, B),
    ("CMN-102", 400, B),
    ("CMN-102", 404, B),
    ("CMN-103", 400, B),
    ("CMN-104", 400, B),
    ("CMN-120", 404, B),
    ("CMN-201", 500, S),
    ("CMN-201", 503, S),
    ("CMN-203", 500, S),
    ("CMN-203", 503, S),
    ("CMN-202", 501, B),
    ("CMN-211", 503, S),
    ("CMN-301", 429, T),
    ("CMN-302", 429, T),
    ("CMN-303", 429, T),
    ("CMN-304", 429, S),
    ("CMN-310", 429, T),
    ("CMN-401", 403, C),
    ("CMN-402", 403, P),
    ("CMN-403", 403, P),
    ("CMN-404", 403, P),
    ("CMN-419", 403, P),
    ("CMN-405", 401, L),
    ("CMN-408", 403, P),
];

const WAIT: Verdict = Verdict::Wait { retry_after: None };
const BACK_OFF: Verdict = Verdict::BackOff { retry_after: None };

/// The verdicts on a resource and at the token endpoint, and whether the grant is over.
const fn expected(act: Act) -> (Verdict, Verdict, bool) {
    match act {
        R => (Verdict::RefreshAndRetry, Verdict::Bug, false),
        L => (Verdict::SignInAgain, Verdict::SignInAgain, false),
        Dead => (Verdict::SignInAgain, Verdict::SignInAgain, true),
        RDead => (Verdict::RefreshAndRetry, Verdict::SignInAgain, true),
        PDead => (Verdict::Permission, Verdict::SignInAgain, true),
        C => (Verdict::FixApp, Verdict::FixApp, false),
        P => (Verdict::Permission, Verdict::Permission, false),
        T => (WAIT, WAIT, false),
        B => (Verdict::Bug, Verdict::Bug, false),
        S => (BACK_OFF, BACK_OFF, false),
    }
}

/// The shapes in which a code has been seen.
fn shapes(code: &str) -> [String; 4] {
    let inner = format!(r#"[{{"errorCode":"{code}","message":"Example"}}]"#);
    [
        format!(r#"{{"error":"invalid_grant","error_description":"Example","errors":{inner}}}"#),
        format!(r#"{{"errorCode":"{code}","message":"Example","errors":{inner}}}"#),
        format!(r#"{{"errorCode":"SomeCategory","message":"Example","errors":{inner}}}"#),
        format!(r#"{{"errorCode":"{code}"}}"#),
    ]
}

#[test]
fn every_code_of_the_table_calls_for_what_the_table_says() {
    for (code, status, act) in CODES {
        let (resource, token, ends) = expected(*act);
        for body in shapes(code) {
            let refusal = refusal(*status, body.clone());
            let said = (
                refusal.verdict(Endpoint::Resource),
                refusal.verdict(Endpoint::Token),
                refusal.ends_grant(),
            );
            assert_eq!(said, (resource, token, ends), "{code} {status} in {body}");
            assert_eq!(refusal.code().map(|code| code.as_str()), Some(*code));
        }
    }
}

#[test]
fn every_code_of_the_table_has_a_meaning_in_words() {
    for (code, status, _) in CODES {
        let [body, ..] = shapes(code);
        let printed = refusal(*status, body).to_string();
        assert!(printed.contains(&format!("{code} (")), "{printed}");
    }
}

#[test]
fn a_server_in_trouble_ends_nothing_whatever_else_it_says() {
    for (code, ..) in CODES {
        for body in shapes(code) {
            for status in [429, 500, 502, 503, 504, 302] {
                assert!(
                    !refusal(status, body.clone()).ends_grant(),
                    "{code} {status}"
                );
            }
            let verdict = refusal(429, body.clone()).verdict(Endpoint::Token);
            // A duplicate of what is being carried out is no limit that is used up.
            let expected = if *code == "CMN-304" { BACK_OFF } else { WAIT };
            assert_eq!(verdict, expected, "{code}");
        }
    }
    for code in ["OAU-210", "OAU-211", "OAU-213", "OAU-222"] {
        let [body, ..] = shapes(code);
        assert_eq!(
            refusal(503, body).verdict(Endpoint::Token),
            BACK_OFF,
            "{code}"
        );
    }
}

#[test]
fn a_missing_permission_is_no_matter_of_the_client_although_it_says_so() {
    let body = r#"{"error":"invalid_client","error_description":"[ThirdPartyAppAccess] permission required",
        "errors":[{"errorCode":"CMN-408","message":"Example",
        "parameters":[{"parameterName":"permissionName","parameterValue":"ThirdPartyAppAccess"}]}]}"#;
    for status in [400, 401, 403] {
        let refusal = refusal(status, body);
        assert_eq!(refusal.verdict(Endpoint::Token), Verdict::Permission);
        assert!(!refusal.ends_grant());
    }
}

#[test]
fn restricted_access_is_no_end() {
    let body =
        r#"{"error":"invalid_client","errors":[{"errorCode":"OAU-167","message":"by RealmId"}]}"#;
    let refusal = refusal(403, body);
    assert_eq!(refusal.verdict(Endpoint::Token), Verdict::Permission);
    assert!(!refusal.ends_grant());
}

#[test]
fn a_redirect_mismatch_is_no_end_although_it_says_invalid_grant() {
    let body =
        r#"{"error":"invalid_grant","errors":[{"errorCode":"OAU-109","message":"Example"}]}"#;
    let refusal = refusal(400, body);
    assert_eq!(refusal.verdict(Endpoint::Token), Verdict::FixApp);
    assert!(!refusal.ends_grant());
}

#[test]
fn without_a_known_code_the_error_decides() {
    for (error, token, resource) in [
        ("invalid_grant", Verdict::SignInAgain, Verdict::Bug),
        ("invalid_client", Verdict::FixApp, Verdict::FixApp),
        ("unauthorized_client", Verdict::FixApp, Verdict::FixApp),
        ("unsupported_grant_type", Verdict::FixApp, Verdict::FixApp),
        ("invalid_scope", Verdict::FixApp, Verdict::FixApp),
        ("invalid_request", Verdict::Bug, Verdict::Bug),
        ("invalid_token", Verdict::Bug, Verdict::RefreshAndRetry),
        (
            "insufficient_scope",
            Verdict::Permission,
            Verdict::Permission,
        ),
        ("access_denied", Verdict::Permission, Verdict::Permission),
        ("slow_down", WAIT, WAIT),
        ("temporarily_unavailable", BACK_OFF, BACK_OFF),
        ("no_such_word", Verdict::Bug, Verdict::Bug),
    ] {
        for codes in [
            "",
            r#","errors":[{"errorCode":"OAU-999"}]"#,
            r#","errorCode":"XYZ-1""#,
        ] {
            let body = format!(r#"{{"error":"{error}"{codes}}}"#);
            let refusal = refusal(400, body.clone());
            assert_eq!(refusal.verdict(Endpoint::Token), token, "{body}");
            assert_eq!(refusal.verdict(Endpoint::Resource), resource, "{body}");
            assert_eq!(refusal.ends_grant(), error == "invalid_grant", "{body}");
        }
    }
}

#[test]
fn without_code_and_error_the_status_decides() {
    for (status, token, resource) in [
        (400, Verdict::Bug, Verdict::Bug),
        (401, Verdict::FixApp, Verdict::RefreshAndRetry),
        (403, Verdict::Permission, Verdict::Permission),
        (404, Verdict::Bug, Verdict::Bug),
        (408, BACK_OFF, BACK_OFF),
        (415, Verdict::Bug, Verdict::Bug),
        (429, WAIT, WAIT),
        (302, BACK_OFF, BACK_OFF),
        (500, BACK_OFF, BACK_OFF),
        (501, BACK_OFF, Verdict::Bug),
        (502, BACK_OFF, BACK_OFF),
        (503, BACK_OFF, BACK_OFF),
        (504, BACK_OFF, BACK_OFF),
    ] {
        for body in [
            "",
            "<html>Service</html>",
            r#"{"errors":[{"errorCode":"#,
            "{}",
            "[]",
            "null",
        ] {
            let refusal = refusal(status, body);
            assert_eq!(refusal.verdict(Endpoint::Token), token, "{status} {body}");
            assert_eq!(
                refusal.verdict(Endpoint::Resource),
                resource,
                "{status} {body}"
            );
            assert!(!refusal.ends_grant(), "{status} {body}");
        }
    }
}

#[test]
fn a_category_counts_when_no_number_is_known() {
    for category in ["TokenInvalid", "TokenExpired"] {
        let body = format!(r#"{{"errorCode":"{category}","message":"OAuth token is invalid"}}"#);
        let refusal = refusal(401, body);
        assert_eq!(
            refusal.verdict(Endpoint::Resource),
            Verdict::RefreshAndRetry
        );
        assert!(!refusal.ends_grant());
    }
}

#[test]
fn the_first_known_code_counts() {
    let body = r#"{"error":"invalid_grant","errorCode":"CMN-408",
        "errors":[{"errorCode":"OAU-999"},{"errorCode":"OAU-167"}]}"#;
    assert_eq!(
        refusal(400, body).verdict(Endpoint::Token),
        Verdict::Permission
    );
}

#[test]
fn advice_is_one_for_each_verdict() {
    let advice = [
        Verdict::RefreshAndRetry,
        Verdict::SignInAgain,
        Verdict::FixApp,
        Verdict::Permission,
        Verdict::Wait {
            retry_after: Some(Duration::from_secs(7)),
        },
        BACK_OFF,
        Verdict::Bug,
    ]
    .map(Verdict::advice);
    insta::assert_snapshot!(advice.join("\n"));
}
