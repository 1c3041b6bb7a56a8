//! `GET /.well-known/openid-configuration` (OpenID Connect Discovery section 3).

use serde::Serialize;

use super::{authorization_uri, token_uri};

/// Platform §1: these members, and none for logout, introspection, device codes or grant types.
#[derive(Serialize)]
pub(crate) struct OpenidConfiguration<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: String,
    userinfo_endpoint: String,
    jwks_uri: String,
    scopes_supported: [&'static str; 3],
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    userinfo_signing_alg_values_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 2],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    display_values_supported: [&'static str; 4],
    claims_supported: [&'static str; 13],
    ui_locales_supported: [&'static str; 1],
    code_challenge_methods_supported: [&'static str; 2],
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
}

/// What the platform at `base` says about itself.
pub(crate) fn openid_configuration(base: &str) -> OpenidConfiguration<'_> {
    OpenidConfiguration {
        issuer: base,
        authorization_endpoint: authorization_uri(base),
        token_endpoint: token_uri(base),
        revocation_endpoint: format!("{base}/restapi/oauth/revoke"),
        userinfo_endpoint: format!("{base}/restapi/oauth/userinfo"),
        jwks_uri: format!("{base}/restapi/oauth/jwks"),
        scopes_supported: ["openid", "email", "profile"],
        response_types_supported: ["code"],
        subject_types_supported: ["public"],
        userinfo_signing_alg_values_supported: ["none"],
        // As documented. Every ID token of this platform is RS256.
        id_token_signing_alg_values_supported: ["RS256", "HS256"],
        token_endpoint_auth_methods_supported: [
            "client_secret_basic",
            "client_secret_jwt",
            "private_key_jwt",
        ],
        display_values_supported: ["page", "popup", "touch", "mobile"],
        claims_supported: [
            "sub",
            "iss",
            "auth_time",
            "aud",
            "exp",
            "iat",
            "jti",
            "nonce",
            "account_id",
            "email",
            "email_verified",
            "given_name",
            "family_name",
        ],
        // Assumed: the pages of the simulated platform are in English only.
        ui_locales_supported: ["en-US"],
        code_challenge_methods_supported: ["plain", "S256"],
        claims_parameter_supported: false,
        request_parameter_supported: false,
        request_uri_parameter_supported: false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        serde_json::to_value(openid_configuration("http://127.0.0.1:8090")).unwrap()
    }

    #[test]
    fn every_endpoint_is_on_the_base_that_was_asked() {
        let document = document();
        assert_eq!(document["issuer"], "http://127.0.0.1:8090");
        for (member, path) in [
            ("authorization_endpoint", "authorize"),
            ("token_endpoint", "token"),
            ("revocation_endpoint", "revoke"),
            ("userinfo_endpoint", "userinfo"),
            ("jwks_uri", "jwks"),
        ] {
            let uri = format!("http://127.0.0.1:8090/restapi/oauth/{path}");
            assert_eq!(document[member], uri);
        }
    }

    #[test]
    fn the_values_are_the_documented_ones() {
        let document = document();
        for (member, values) in [
            ("scopes_supported", json!(["openid", "email", "profile"])),
            (
                "token_endpoint_auth_methods_supported",
                json!([
                    "client_secret_basic",
                    "client_secret_jwt",
                    "private_key_jwt"
                ]),
            ),
            ("response_types_supported", json!(["code"])),
            ("subject_types_supported", json!(["public"])),
            ("userinfo_signing_alg_values_supported", json!(["none"])),
            (
                "id_token_signing_alg_values_supported",
                json!(["RS256", "HS256"]),
            ),
            (
                "display_values_supported",
                json!(["page", "popup", "touch", "mobile"]),
            ),
            ("code_challenge_methods_supported", json!(["plain", "S256"])),
            ("claims_parameter_supported", json!(false)),
            ("request_parameter_supported", json!(false)),
            ("request_uri_parameter_supported", json!(false)),
        ] {
            assert_eq!(document[member], values, "{member}");
        }
        assert_eq!(document["claims_supported"].as_array().unwrap().len(), 13);
    }

    #[test]
    fn what_the_platform_does_not_publish_is_absent() {
        for member in [
            "end_session_endpoint",
            "introspection_endpoint",
            "device_authorization_endpoint",
            "grant_types_supported",
        ] {
            assert_eq!(document().get(member), None, "{member}");
        }
    }
}
