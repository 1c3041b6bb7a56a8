//! OpenID Connect: what an ID token and the userinfo endpoint say about a user.

use std::time::Duration;

use serde::Serialize;

use super::numeric_date::NumericDate;
use crate::timestamp::Timestamp;

/// How long an ID token is valid. Assumed: as long as an access token, one hour.
const LIFE: Duration = Duration::from_secs(3_600);

/// Whether a space-separated `scope` asks for OpenID Connect (OpenID Connect Core section 3.1.2.1).
pub(crate) fn asks_for_id_token(scope: &str) -> bool {
    contains(scope, "openid")
}

fn contains(scope: &str, value: &str) -> bool {
    scope.split(' ').any(|one| one == value)
}

/// What the platform knows about a user.
#[derive(Clone, Copy)]
pub(crate) struct Person<'a> {
    pub(crate) extension_id: u64,
    pub(crate) account_id: u64,
    pub(crate) email: &'a str,
    pub(crate) given_name: &'a str,
    pub(crate) family_name: &'a str,
}

/// A sign-in that an ID token tells about.
#[derive(Clone, Copy)]
pub(crate) struct Authentication<'a> {
    /// The platform's base URL, as in its openid-configuration.
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) scope: &'a str,
    /// Of the authorization request.
    pub(crate) nonce: Option<&'a str>,
    /// When the user signed in.
    pub(crate) auth_time: Timestamp,
    /// Unique among the platform's ID tokens.
    pub(crate) jti: &'a str,
}

/// OpenID Connect Core section 2. Platform §1: these are the claims of `claims_supported`.
#[derive(Serialize)]
pub(crate) struct IdToken<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    exp: NumericDate,
    iat: NumericDate,
    auth_time: NumericDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    jti: &'a str,
    account_id: String,
    #[serde(flatten)]
    profile: Profile<'a>,
}

/// Platform §5: the answer of the userinfo endpoint.
#[derive(Serialize)]
pub(crate) struct Userinfo<'a> {
    sub: String,
    account_id: String,
    #[serde(flatten)]
    profile: Profile<'a>,
}

/// What the scopes `email` and `profile` add. Assumed: that they are needed, which is what OpenID Connect
/// Core section 5.4 says; RingCentral's own pages only list the claims.
#[derive(Serialize)]
struct Profile<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<&'a str>,
}

impl<'a> Profile<'a> {
    fn new(person: &Person<'a>, scope: &str) -> Self {
        let email = contains(scope, "email");
        let profile = contains(scope, "profile");
        Self {
            email: email.then_some(person.email),
            email_verified: email.then_some(true),
            given_name: profile.then_some(person.given_name),
            family_name: profile.then_some(person.family_name),
        }
    }
}

impl<'a> IdToken<'a> {
    /// The claims of a token sent at `now`.
    pub(crate) fn new(
        person: &Person<'a>,
        authentication: &Authentication<'a>,
        now: Timestamp,
    ) -> Self {
        Self {
            iss: authentication.issuer,
            sub: person.extension_id.to_string(),
            aud: authentication.client_id,
            exp: NumericDate(now.plus(LIFE)),
            iat: NumericDate(now),
            auth_time: NumericDate(authentication.auth_time),
            nonce: authentication.nonce,
            jti: authentication.jti,
            account_id: person.account_id.to_string(),
            profile: Profile::new(person, authentication.scope),
        }
    }
}

impl<'a> Userinfo<'a> {
    /// What an access token with `scope` may read.
    pub(crate) fn new(person: &Person<'a>, scope: &str) -> Self {
        Self {
            sub: person.extension_id.to_string(),
            account_id: person.account_id.to_string(),
            profile: Profile::new(person, scope),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{jose::keys::SigningKeys, seed::Seed};

    const ADA: Person<'_> = Person {
        extension_id: 12_133_895_101,
        account_id: 12_133_895_004,
        email: "ada@acme.example",
        given_name: "Ada",
        family_name: "Example",
    };
    const SIGN_IN: Authentication<'_> = Authentication {
        issuer: "http://127.0.0.1:8090",
        client_id: "app",
        scope: "openid email profile",
        nonce: Some("n-1"),
        auth_time: Timestamp::from_millis(1_700_000_000_000),
        jti: "id-1",
    };
    const NOW: Timestamp = Timestamp::from_millis(1_700_000_005_500);

    #[test]
    fn an_id_token_says_who_signed_in_where_and_when() {
        let text = serde_json::to_string(&IdToken::new(&ADA, &SIGN_IN, NOW)).unwrap();
        assert_eq!(
            text,
            r#"{"iss":"http://127.0.0.1:8090","sub":"12133895101","aud":"app","exp":1700003605,"iat":1700000005,"auth_time":1700000000,"nonce":"n-1","jti":"id-1","account_id":"12133895004","email":"ada@acme.example","email_verified":true,"given_name":"Ada","family_name":"Example"}"#
        );
    }

    #[test]
    fn an_id_token_without_nonce_and_further_scopes_has_no_such_claims() {
        let sign_in = Authentication {
            scope: "openid ReadAccounts emails",
            nonce: None,
            ..SIGN_IN
        };
        let claims = serde_json::to_value(IdToken::new(&ADA, &sign_in, NOW)).unwrap();
        for absent in [
            "nonce",
            "email",
            "email_verified",
            "given_name",
            "family_name",
        ] {
            assert_eq!(claims.get(absent), None, "{absent}");
        }
        assert_eq!(claims["account_id"], "12133895004");
    }

    #[test]
    fn an_id_token_is_verified_by_the_published_keys() {
        let keys = SigningKeys::new(&Seed::new(1));
        let token = keys.sign(&IdToken::new(&ADA, &SIGN_IN, NOW));
        let claims: Value = keys.verify(&token).unwrap();
        assert_eq!(claims["nonce"], "n-1");
    }

    #[test]
    fn userinfo_says_what_the_scope_allows() {
        let info = |scope| serde_json::to_value(Userinfo::new(&ADA, scope)).unwrap();
        let bare = json!({"sub": "12133895101", "account_id": "12133895004"});
        assert_eq!(info("openid"), bare);
        let email = info("openid email");
        assert_eq!(
            (&email["email"], &email["email_verified"]),
            (&json!("ada@acme.example"), &json!(true))
        );
        assert_eq!(email.get("given_name"), None);
        let profile = info("profile openid");
        assert_eq!(
            (&profile["given_name"], &profile["family_name"]),
            (&json!("Ada"), &json!("Example"))
        );
        assert_eq!(profile.get("email"), None);
    }

    #[test]
    fn only_the_word_openid_asks_for_an_id_token() {
        assert!(asks_for_id_token("openid") && asks_for_id_token("email openid"));
        for scope in ["", "OpenID", "openid2", "ReadAccounts"] {
            assert!(!asks_for_id_token(scope), "{scope}");
        }
    }
}
