//! Resources, and who may call them.

use crate::stage::{EXTENSION, Stage, json, refusal, refused};

const SMS: &str = "/restapi/v1.0/account/~/extension/~/sms";
const TEXT: &str = r#"{"from":{"phoneNumber":"+16505550101"},"to":[{"phoneNumber":"+16505550199"}],"text":"Hello"}"#;

fn assert_recorded(name: &str, response: &http::Response<bytes::Bytes>) {
    assert_eq!(response.status(), 200);
    let mut settings = insta::Settings::clone_current();
    settings.set_sort_maps(true); // whatever features serde_json was built with
    settings.bind(|| insta::assert_json_snapshot!(name, json(response)));
}

#[test]
fn answers_look_as_recorded() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    assert_recorded("extension", &stage.call(&access));
    let header = format!("Bearer {access}");
    let account = stage.get("/restapi/v1.0/account/~", &[("authorization", &header)]);
    assert_recorded("account", &account);
    assert_recorded("versions", &stage.get("/restapi", &[]));
}

#[test]
fn status_needs_no_token() {
    let mut stage = Stage::new();
    let response = stage.get("/restapi/v1.0/status", &[]);
    assert_eq!(
        (response.status().as_u16(), response.body().len()),
        (200, 0)
    );
}

#[test]
fn callers_that_are_refused() {
    let mut stage = Stage::new();
    let refresh = stage.sign_in().refresh;
    let refresh_as_access = format!("Bearer {refresh}");
    for (header, top, code) in [
        (None, "AGW-401", "AGW-401"),
        (Some("Bearer"), "AGW-402", "AGW-402"),
        (Some("Basic eDp5"), "AGW-402", "AGW-402"),
        (Some("Bearer undefined"), "TokenInvalid", "OAU-149"),
        (Some("Bearer U0lNfEF8MXww"), "TokenInvalid", "OAU-149"),
        (Some(refresh_as_access.as_str()), "TokenInvalid", "OAU-149"),
    ] {
        let headers: Vec<_> = header
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        let response = stage.get(EXTENSION, &headers);
        assert_eq!(refusal(&response), refused(401, top, code), "{header:?}");
        let challenge = response.headers()["www-authenticate"]
            .to_str()
            .expect("text");
        assert!(challenge.starts_with(r#"Bearer realm="RingCentral REST API""#));
    }
}

#[test]
fn the_scheme_is_compared_without_case_and_the_query_may_carry_the_token() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    for scheme in ["bearer", "Bearer", "BEARER"] {
        let header = format!("{scheme} {access}");
        assert_eq!(
            stage.get(EXTENSION, &[("authorization", &header)]).status(),
            200
        );
    }
    assert_eq!(
        stage
            .get(&format!("{EXTENSION}?access_token={access}"), &[])
            .status(),
        200
    );
}

#[test]
fn own_ids_work_and_others_are_not_found() {
    let mut stage = Stage::new();
    let header = format!("Bearer {}", stage.sign_in().access);
    let headers = [("authorization", header.as_str())];
    for (path, status) in [
        ("account/12133895004/extension/12133895101", 200),
        ("account/12133895004", 200),
        ("account/~/extension/12133895102", 404),
        ("account/1/extension/~", 404),
        ("account/~/nothing", 404),
    ] {
        let response = stage.get(&format!("/restapi/v1.0/{path}"), &headers);
        assert_eq!(response.status(), status, "{path}");
    }
    let response = stage.get("/restapi/v1.0/account/~/extension/12133895102", &headers);
    assert_eq!(refusal(&response), refused(404, "CMN-102", "CMN-102"));
    assert_eq!(json(&response)["errors"][0]["parameterName"], "extensionId");
}

#[test]
fn addresses_of_an_answer_are_on_the_host_that_was_asked() {
    let mut stage = Stage::new();
    let header = format!("Bearer {}", stage.sign_in().access);
    let by_host = stage.get(
        EXTENSION,
        &[("authorization", &header), ("host", "127.0.0.1:9")],
    );
    assert!(
        json(&by_host)["uri"]
            .as_str()
            .expect("text")
            .starts_with("http://127.0.0.1:9/restapi/")
    );
    let absolute = format!("https://platform.example{EXTENSION}");
    let by_uri = stage.get(&absolute, &[("authorization", &header)]);
    let uri = json(&by_uri)["uri"].as_str().expect("text").to_owned();
    assert!(uri.starts_with("https://platform.example/restapi/"));
}

#[test]
fn text_messages_are_recorded_and_never_sent() {
    let mut stage = Stage::new();
    let header = format!("Bearer {}", stage.sign_in().access);
    let headers = [
        ("authorization", header.as_str()),
        ("content-type", "application/json"),
    ];
    let response = stage.post(SMS, TEXT, &headers);
    assert_eq!(response.status(), 200);
    assert_eq!(json(&response)["messageStatus"], "Queued");
    let sent: Vec<_> = stage.platform.messages().collect();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].text, "Hello");
    assert_eq!(sent[0].to, ["+16505550199"]);
    assert!(sent[0].id > u64::from(u32::MAX));
}

#[test]
fn bad_text_messages_are_refused() {
    let mut stage = Stage::new();
    let header = format!("Bearer {}", stage.sign_in().access);
    for (body, code, parameter) in [
        ("not json", "CMN-103", None),
        ("[]", "CMN-101", Some("from")),
        (r#"{"from":{},"to":[],"text":"x"}"#, "CMN-101", Some("to")),
        (
            r#"{"from":{"phoneNumber":"+1"},"to":[],"text":"x"}"#,
            "CMN-101",
            Some("to"),
        ),
        (
            r#"{"from":{"phoneNumber":"+1"},"to":[]}"#,
            "CMN-101",
            Some("text"),
        ),
    ] {
        let response = stage.post(SMS, body, &[("authorization", &header)]);
        assert_eq!(refusal(&response), refused(400, code, code), "{body}");
        assert_eq!(
            json(&response)["errors"][0]["parameterName"].as_str(),
            parameter,
            "{body}"
        );
    }
    assert_eq!(stage.platform.messages().count(), 0);
}

#[test]
fn unknown_addresses_get_the_gateways_error() {
    let mut stage = Stage::new();
    for path in [
        "/",
        "/favicon.ico",
        "/restapi/oauth/unknown",
        "/sim/counters",
        "/restapix",
    ] {
        assert_eq!(
            refusal(&stage.get(path, &[])),
            refused(404, "AGW-404", "AGW-404"),
            "{path}"
        );
    }
    assert_eq!(
        stage.get("/restapi/oauth/token", &[]).status(),
        404,
        "the token endpoint is POST"
    );
}
