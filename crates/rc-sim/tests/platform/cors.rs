//! Scripts of other origins: which may read what.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use rc_sim::{Fault, Preset, Target};
use serde_json::Value;

use crate::stage::{EXTENSION, Stage, form, header_of, pair};

const ORIGIN: &str = "http://localhost:8080";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const FOR_SCRIPTS: [(&str, &str); 7] = [
    ("POST", "/restapi/oauth/token"),
    ("POST", "/restapi/oauth/revoke"),
    ("GET", EXTENSION),
    ("GET", "/restapi"),
    ("GET", "/restapi/oauth/jwks"),
    ("GET", "/restapi/oauth/userinfo"),
    ("GET", "/.well-known/entry-points/initial"),
];
const FOR_PEOPLE: [(&str, &str); 6] = [
    ("GET", "/restapi/oauth/authorize"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/login/consent"),
    ("GET", "/sim/credentials"),
    ("POST", "/sim/reset"),
];

fn send(
    stage: &mut Stage,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response<Bytes> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Bytes::copy_from_slice(body.as_bytes());
    let request = request.body(body).expect("a request");
    stage.platform.respond(&request, stage.now)
}

fn preflight(stage: &mut Stage, origin: &str, method: &str, uri: &str) -> Response<Bytes> {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", method),
        (
            "access-control-request-headers",
            "authorization,x-user-agent",
        ),
    ];
    send(stage, "OPTIONS", uri, &headers, "")
}

/// The names of all headers that let scripts in.
fn allowances(response: &Response<Bytes>) -> Vec<&str> {
    let names = response.headers().keys().map(http::HeaderName::as_str);
    names
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

fn varies(response: &Response<Bytes>) -> bool {
    header_of(response, "vary").is_some_and(|vary| vary.eq_ignore_ascii_case("origin"))
}

#[test]
fn a_preflight_of_a_registered_origin_is_allowed_what_it_asks_for() {
    let mut stage = Stage::new();
    for (method, uri) in FOR_SCRIPTS {
        let response = preflight(&mut stage, ORIGIN, method, uri);
        assert_eq!(response.status(), StatusCode::NO_CONTENT, "{uri}");
        assert!(response.body().is_empty() && varies(&response));
        for (name, value) in [
            ("access-control-allow-origin", ORIGIN),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-headers", "authorization,x-user-agent"),
            ("access-control-max-age", "600"),
        ] {
            assert_eq!(header_of(&response, name), Some(value), "{uri}: {name}");
        }
        let methods = header_of(&response, "access-control-allow-methods").expect("methods");
        assert!(methods.split(", ").any(|one| one == method), "{methods}");
    }
    let events = stage.control("GET", "events", &Value::Null, &[]).1;
    assert_eq!(events["last"], 0, "nothing was asked of the platform");
}

#[test]
fn other_origins_are_allowed_nothing() {
    let mut stage = Stage::new();
    for origin in [
        "http://localhost:8081",
        "https://localhost:8080",
        "http://localhost",
        "http://localhost:8080.evil.example",
        "http://LOCALHOST:8080",
        "http://localhost:8080/",
        "https://evil.example",
        "null",
        "*",
        "",
    ] {
        for (method, uri) in FOR_SCRIPTS {
            let response = preflight(&mut stage, origin, method, uri);
            assert_eq!(allowances(&response), [""; 0], "{origin} {uri}");
            let response = send(&mut stage, method, uri, &[("origin", origin)], "");
            assert_eq!(allowances(&response), [""; 0], "{origin} {uri}");
            assert!(varies(&response), "{origin} {uri}");
        }
    }
}

#[test]
fn answers_and_refusals_are_readable_with_their_headers() {
    let mut stage = Stage::new();
    for (method, uri) in FOR_SCRIPTS {
        let response = send(&mut stage, method, uri, &[("origin", ORIGIN)], "");
        assert_eq!(
            header_of(&response, "access-control-allow-origin"),
            Some(ORIGIN),
            "{uri}"
        );
        assert_eq!(
            header_of(&response, "access-control-allow-credentials"),
            Some("true")
        );
        let exposed = header_of(&response, "access-control-expose-headers").expect("names");
        let exposed: Vec<&str> = exposed.split(',').map(str::trim).collect();
        for name in [
            "retry-after",
            "discovery-tag",
            "discovery-required",
            "rcrequestid",
            "www-authenticate",
            "x-rate-limit-group",
            "x-rate-limit-limit",
            "x-rate-limit-remaining",
            "x-rate-limit-window",
        ] {
            assert!(exposed.contains(&name), "{name}");
        }
    }
}

#[test]
fn a_public_app_signs_in_and_out_from_a_browser() {
    let mut stage = Stage::new();
    let id = stage.public_client_id();
    let query = form(&[
        ("response_type", "code"),
        ("client_id", &id),
        ("code_challenge", crate::stage::CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let url = format!("/restapi/oauth/authorize?{query}");
    let callback = stage.platform.sign_in(&url, crate::stage::ADA, stage.now);
    let code = callback.expect("a callback").param("code").expect("a code");
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", &id),
        ("code_verifier", crate::stage::VERIFIER),
    ]);
    let headers = [("origin", ORIGIN), FORM];
    let response = send(&mut stage, "POST", "/restapi/oauth/token", &headers, &body);
    assert_eq!(
        header_of(&response, "access-control-allow-origin"),
        Some(ORIGIN)
    );
    let access = pair(&response).access;
    let bearer = format!("Bearer {access}");
    let call = [("origin", ORIGIN), ("authorization", &*bearer)];
    assert_eq!(send(&mut stage, "GET", EXTENSION, &call, "").status(), 200);
    let body = form(&[("token", &access), ("client_id", &id)]);
    let response = send(&mut stage, "POST", "/restapi/oauth/revoke", &headers, &body);
    assert_eq!(response.status(), 200);
    let response = send(&mut stage, "GET", EXTENSION, &call, "");
    assert_eq!(response.status(), 401);
    assert_eq!(
        header_of(&response, "access-control-allow-origin"),
        Some(ORIGIN)
    );
}

#[test]
fn pages_and_the_control_api_are_never_for_scripts() {
    let mut stage = Stage::new();
    for (method, uri) in FOR_PEOPLE {
        for origin in [ORIGIN, "https://evil.example"] {
            let response = preflight(&mut stage, origin, method, uri);
            assert_eq!(allowances(&response), [""; 0], "{uri}");
            let response = send(&mut stage, method, uri, &[("origin", origin)], "");
            assert_eq!(allowances(&response), [""; 0], "{uri}");
            let request = Request::builder()
                .method(method)
                .uri(uri)
                .header("origin", origin);
            let request = request.body(Bytes::new()).expect("a request");
            if uri.starts_with("/sim/") {
                let response = stage.platform.control(&request, stage.now);
                assert_eq!(response.status(), 403);
                assert_eq!(allowances(&response), [""; 0]);
            }
        }
    }
}

#[test]
fn without_an_origin_nothing_is_allowed_but_caches_are_told_that_it_matters() {
    let mut stage = Stage::new();
    for (method, uri) in FOR_SCRIPTS {
        let response = send(&mut stage, method, uri, &[], "");
        assert_eq!(allowances(&response), [""; 0], "{uri}");
        assert!(varies(&response), "{uri}");
    }
    assert!(!varies(&stage.get("/login", &[])));
}

#[test]
fn options_without_a_method_to_ask_for_is_no_preflight() {
    let mut stage = Stage::new();
    for headers in [
        &[("origin", ORIGIN)][..],
        &[("origin", ORIGIN), ("access-control-request-method", "G T")],
    ] {
        let response = send(&mut stage, "OPTIONS", "/restapi/oauth/token", headers, "");
        assert_eq!(response.status(), 404);
    }
    let response = preflight(&mut stage, ORIGIN, "GET", "/restapi/oauth/token");
    assert_eq!(
        allowances(&response),
        [""; 0],
        "the token endpoint takes POST"
    );
}

#[test]
fn faults_in_place_of_answers_are_readable_too() {
    let mut stage = Stage::new();
    let fault = Fault::from(Preset::RateLimited);
    stage.platform.queue_fault(Target::Token, fault, 1);
    let headers = [("origin", ORIGIN), FORM];
    let response = send(&mut stage, "POST", "/restapi/oauth/token", &headers, "");
    assert_eq!(response.status(), 429);
    assert_eq!(
        header_of(&response, "access-control-allow-origin"),
        Some(ORIGIN)
    );
    assert_eq!(header_of(&response, "retry-after"), Some("60"));
}

#[test]
fn an_origin_is_allowed_when_any_app_registers_it() {
    let mut config = crate::stage::demo();
    config.apps[1].redirect_uris.extend([
        "https://app.example/a/b?c".into(),
        "com.example.app:/done".into(),
    ]);
    let mut stage = Stage::of(config);
    for (origin, allowed) in [
        ("https://app.example", true),
        ("https://app.example:443", false),
        ("com.example.app:", false),
        ("null", false),
    ] {
        let response = preflight(&mut stage, origin, "GET", EXTENSION);
        assert_eq!(!allowances(&response).is_empty(), allowed, "{origin}");
    }
}
