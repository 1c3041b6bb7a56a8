//! Which addresses exist, and who may call them.

use rc_sim::Config;

use crate::stage::{ADA, EXTENSION, GRACE, Stage, company, demo, json, refusal, refused};

const GRACES: &str = "/restapi/v1.0/account/~/extension/12133895102";

fn with_permissions(permissions: &[&str]) -> Config {
    let mut config = demo();
    config.apps[0].permissions = permissions.iter().map(ToString::to_string).collect();
    config
}

#[test]
fn segments_may_be_percent_encoded() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    for (path, status) in [
        ("account/%7E", 200),
        ("account/%7e/extension/%7E", 200),
        ("%61ccount/~", 200),
        ("account/~/", 200),
        ("account/%257E", 404),
        ("account/%", 404),
        ("account/%ff", 404),
        ("account%2F~", 404),
        ("account//extension", 404),
    ] {
        let response = stage.send("GET", &format!("/restapi/v1.0/{path}"), &access, "");
        assert_eq!(response.status(), status, "{path}");
    }
}

#[test]
fn another_method_is_405_and_tells_which_are_allowed() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    for (method, path, allow) in [
        ("POST", EXTENSION.to_owned(), "GET"),
        ("GET", format!("{EXTENSION}/sms"), "POST"),
        (
            "PATCH",
            format!("{EXTENSION}/message-store/1"),
            "GET, PUT, DELETE",
        ),
        ("DELETE", "/restapi/v1.0/status".to_owned(), "GET"),
    ] {
        let response = stage.send(method, &path, &access, "");
        assert_eq!(
            refusal(&response),
            refused(405, "AGW-405", "AGW-405"),
            "{path}"
        );
        assert_eq!(response.headers()["allow"], allow, "{path}");
    }
}

#[test]
fn unknown_addresses_of_the_api_are_invalid_uris() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    for (path, code) in [
        ("/restapi/v1.0/account/~/nothing", "CMN-120"),
        ("/restapi/v1.0/account/~/extension/~/sms/1", "CMN-120"),
        ("/restapi/v2/accounts", "CMN-120"),
        ("/restapi/v9/account/~", "AGW-404"),
    ] {
        let response = stage.send("GET", path, &access, "");
        assert_eq!(refusal(&response), refused(404, code, code), "{path}");
    }
}

#[test]
fn without_a_token_nobody_learns_what_exists() {
    let mut stage = Stage::new();
    for path in [
        "account/~/nothing",
        "account/~/extension/~/sms",
        "account/~",
    ] {
        let response = stage.get(&format!("/restapi/v1.0/{path}"), &[]);
        assert_eq!(
            refusal(&response),
            refused(401, "AGW-401", "AGW-401"),
            "{path}"
        );
    }
}

#[test]
fn what_the_app_may_not_is_cmn_401() {
    let mut stage = Stage::of(with_permissions(&["ReadAccounts"]));
    let access = stage.access_of(ADA);
    for (method, path, permission) in [
        ("GET", format!("{EXTENSION}/call-log"), "ReadCallLog"),
        (
            "GET",
            "/restapi/v1.0/account/~/call-log".to_owned(),
            "ReadCallLog",
        ),
        ("GET", format!("{EXTENSION}/message-store"), "ReadMessages"),
        (
            "DELETE",
            format!("{EXTENSION}/message-store/1"),
            "EditMessages",
        ),
        ("POST", format!("{EXTENSION}/sms"), "SMS"),
    ] {
        let response = stage.send(method, &path, &access, "");
        assert_eq!(
            refusal(&response),
            refused(403, "CMN-401", "CMN-401"),
            "{path}"
        );
        let message = json(&response)["message"].to_string();
        assert!(message.contains(&format!("[{permission}]")), "{message}");
    }
}

#[test]
fn some_permissions_include_others() {
    let mut stage = Stage::of(with_permissions(&[
        "SMS",
        "ReadCallRecording",
        "EditAccounts",
    ]));
    let access = stage.access_of(ADA);
    for path in ["", "/call-log", "/message-store", "/phone-number"] {
        let response = stage.send("GET", &format!("{EXTENSION}{path}"), &access, "");
        assert_eq!(response.status(), 200, "{path}");
    }
}

#[test]
fn what_the_user_may_not_is_cmn_408_and_names_the_permission() {
    let mut stage = Stage::of(company());
    let (ada, grace) = (stage.access_of(ADA), stage.access_of(GRACE));
    let log = "/restapi/v1.0/account/~/call-log";
    let response = stage.send("GET", log, &grace, "");
    assert_eq!(refusal(&response), refused(403, "CMN-408", "CMN-408"));
    assert_eq!(
        json(&response)["errors"][0]["permissionName"],
        "FullCompanyCallLog"
    );
    assert_eq!(stage.send("GET", log, &ada, "").status(), 200);
}

#[test]
fn an_administrator_sees_others_and_an_ordinary_user_does_not() {
    let mut stage = Stage::of(company());
    let (ada, grace) = (stage.access_of(ADA), stage.access_of(GRACE));
    for path in ["", "/call-log", "/message-store", "/phone-number"] {
        let adas = format!("/restapi/v1.0/account/~/extension/12133895101{path}");
        let response = stage.send("GET", &adas, &grace, "");
        assert_eq!(
            refusal(&response),
            refused(403, "CMN-404", "CMN-404"),
            "{path}"
        );
        for access in [&ada, &grace] {
            let response = stage.send("GET", &format!("{GRACES}{path}"), access, "");
            assert_eq!(response.status(), 200, "{path}");
        }
    }
    assert_eq!(
        json(&stage.send("GET", GRACES, &ada, ""))["name"],
        "Grace Sample"
    );
}

#[test]
fn an_extension_or_account_nobody_has_is_cmn_102() {
    let mut stage = Stage::of(company());
    for login in [ADA, GRACE] {
        let access = stage.access_of(login);
        for (path, parameter) in [
            ("account/~/extension/1", "extensionId"),
            ("account/~/extension/99999999999999999999", "extensionId"),
            ("account/~/extension/-1", "extensionId"),
            ("account/~/extension/+12133895101", "extensionId"),
            ("account/~/extension/012133895101", "extensionId"),
            ("account/~/extension/ada", "extensionId"),
            ("account/~/extension/17133895003", "extensionId"),
            ("account/~/extension/17133895064", "extensionId"),
            ("account/1/extension/~", "accountId"),
        ] {
            let response = stage.send("GET", &format!("/restapi/v1.0/{path}"), &access, "");
            assert_eq!(
                refusal(&response),
                refused(404, "CMN-102", "CMN-102"),
                "{path}"
            );
            assert_eq!(json(&response)["errors"][0]["parameterName"], parameter);
        }
    }
}

#[test]
fn head_is_answered_like_get() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    for path in ["/restapi", EXTENSION, "/restapi/oauth/jwks"] {
        let response = stage.send("HEAD", path, &access, "");
        assert_eq!(response.status(), 200, "{path}");
    }
}
