//! The documents that clients find their way with: openid-configuration and entry points.

use serde_json::json;

use crate::{
    signing::claims,
    stage::{ADA, Pair, REDIRECT_URI, Stage, form, header_of, json, refusal, refused},
};

const JWKS: &str = "/restapi/oauth/jwks";

#[test]
fn every_endpoint_of_the_configuration_answers_where_it_was_asked() {
    let mut stage = Stage::new();
    let host = [("host", "sim.example:8080")];
    let document = json(&stage.get("/.well-known/openid-configuration", &host));
    assert_eq!(document["issuer"], "http://sim.example:8080");
    for (name, method, status) in [
        ("authorization_endpoint", "GET", 403),
        ("token_endpoint", "POST", 415),
        ("revocation_endpoint", "POST", 400),
        ("userinfo_endpoint", "GET", 401),
        ("jwks_uri", "GET", 200),
    ] {
        let uri = document[name].as_str().expect("an address").to_owned();
        assert!(uri.starts_with("http://sim.example:8080/restapi/oauth/"));
        let response = match method {
            "GET" => stage.get(&uri, &[]),
            _ => stage.post(&uri, "", &[]),
        };
        assert_eq!(response.status(), status, "{name}");
    }
    let code = {
        let url = stage.authorize_url(&[("scope", "openid")]);
        let callback = stage.platform.sign_in(&url, ADA, stage.now);
        callback.expect("a callback").param("code").expect("a code")
    };
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
    ]);
    let basic = stage.basic();
    let headers = [
        host[0],
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", &*basic),
    ];
    let body = json(&stage.post("/restapi/oauth/token", &body, &headers));
    let token = body["id_token"].as_str().expect("an ID token");
    assert_eq!(claims(token)["iss"], document["issuer"]);
}

#[test]
fn documents_do_not_look_at_a_token_that_comes_with_them() {
    let mut stage = Stage::new();
    let id = stage.client_id();
    for uri in [
        JWKS.to_owned(),
        "/.well-known/openid-configuration".into(),
        format!("/.well-known/entry-points/initial?clientId={id}"),
    ] {
        let response = stage.get(&uri, &[("authorization", "Bearer undefined")]);
        assert_eq!(response.status(), 200, "{uri}");
    }
    let unknown = stage.get("/.well-known/other", &[]);
    assert_eq!(refusal(&unknown), refused(404, "AGW-404", "AGW-404"));
}

#[test]
fn initial_entry_points_are_for_apps_that_exist() {
    let mut stage = Stage::new();
    for query in ["", "?clientId=", "?clientId=unknown"] {
        let response = stage.get(&format!("/.well-known/entry-points/initial{query}"), &[]);
        assert_eq!(
            refusal(&response),
            refused(400, "invalid_client", "OAU-153"),
            "{query}"
        );
    }
    let id = stage.public_client_id();
    let uri = format!("/.well-known/entry-points/initial?clientId={id}&brandId=");
    let found = json(&stage.get(&uri, &[("host", "sim.example")]));
    let base = "http://sim.example";
    assert_eq!(found["brandId"], "1210");
    for (pointer, path) in [
        ("/authApi/authorizationUri", "/restapi/oauth/authorize"),
        ("/authApi/defaultTokenUri", "/restapi/oauth/token"),
        (
            "/authApi/oidcDiscoveryUri",
            "/.well-known/openid-configuration",
        ),
        (
            "/discoveryApi/defaultExternalUri",
            "/.well-known/entry-points/external",
        ),
        ("/coreApi/baseUri", ""),
    ] {
        assert_eq!(
            found.pointer(pointer),
            Some(&json!(format!("{base}{path}"))),
            "{pointer}"
        );
    }
    for name in ["version", "retryCount", "retryInterval"] {
        assert!(!found[name].is_null(), "{name}");
    }
    let of_brand = stage.get(&format!("{uri}3610"), &[]);
    assert_eq!(json(&of_brand)["brandId"], "3610");
}

#[test]
fn external_entry_points_need_a_token_and_bring_a_tag() {
    let mut stage = Stage::new();
    let uri = "/.well-known/entry-points/external";
    assert_eq!(
        refusal(&stage.get(uri, &[])),
        refused(401, "AGW-401", "AGW-401")
    );
    let Pair { access, refresh } = stage.sign_in();
    let host = ("host", "sim.example");
    let bearer = format!("Bearer {access}");
    let response = stage.get(uri, &[host, ("authorization", &bearer)]);
    let tag = header_of(&response, "discovery-tag").expect("a tag");
    assert!(!tag.is_empty());
    let found = json(&response);
    for (pointer, path) in [
        ("/authApi/authorizationUri", "/restapi/oauth/authorize"),
        ("/authApi/tokenUri", "/restapi/oauth/token"),
        ("/authApi/baseUri", ""),
        ("/coreApi/baseUri", ""),
        ("/rcv/baseApiUri", ""),
        ("/discoveryApi/externalUri", uri),
        (
            "/discoveryApi/initialUri",
            "/.well-known/entry-points/initial",
        ),
    ] {
        let expected = json!(format!("http://sim.example{path}"));
        assert_eq!(found.pointer(pointer), Some(&expected), "{pointer}");
    }
    for name in [
        "expiresIn",
        "retryCount",
        "retryInterval",
        "retryCycleDelay",
    ] {
        assert!(found[name].is_u64(), "{name}");
    }
    let echoed = [("authorization", &*bearer), ("discovery-tag", tag)];
    assert_eq!(stage.get(crate::stage::EXTENSION, &echoed).status(), 200);
    stage.refresh(&refresh);
    let old = stage.get(uri, &[("authorization", &bearer)]);
    assert_eq!(refusal(&old).2, "OAU-129");
}
