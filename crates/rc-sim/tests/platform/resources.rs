//! Resources, and who may call them.

use crate::stage::{EXTENSION, Stage, json, refusal, refused};

const SMS: &str = "/restapi/v1.0/account/~/extension/~/sms";
const MESSAGES: &str = "/restapi/v1.0/account/~/extension/~/message-store";

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
fn the_scheme_is_compared_without_case() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    for scheme in ["bearer", "Bearer", "BEARER"] {
        let header = format!("{scheme} {access}");
        assert_eq!(
            stage.get(EXTENSION, &[("authorization", &header)]).status(),
            200
        );
    }
}

#[test]
fn the_query_carries_a_token_to_nothing_but_media() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    for path in [EXTENSION, MESSAGES, "/restapi/v1.0/client-info", SMS] {
        let response = stage.get(&format!("{path}?access_token={access}"), &[]);
        assert_eq!(
            refusal(&response),
            refused(401, "AGW-401", "AGW-401"),
            "{path}"
        );
    }
}

#[test]
fn client_info_tells_whose_the_token_is() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    let info = json(&stage.send("GET", "/restapi/v1.0/client-info", &access, ""));
    assert_eq!(info["owner_id"], "12133895101");
    assert_eq!(
        info["scope"],
        "ReadAccounts ReadCallLog ReadMessages EditMessages SMS"
    );
    assert!(info["endpoint_id"].is_string());
    assert_eq!(info["client_id"], stage.client_id());
}

#[test]
fn version_two_has_the_id_of_the_account_as_text() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    for account in ["~", "12133895004"] {
        let path = format!("/restapi/v2/accounts/{account}");
        let body = json(&stage.send("GET", &path, &access, ""));
        assert_eq!(body["id"], "12133895004");
        assert_eq!(body["mainNumber"], "+16505550100");
    }
    let other = stage.send("GET", "/restapi/v2/accounts/1", &access, "");
    assert_eq!(refusal(&other), refused(404, "CMN-102", "CMN-102"));
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
