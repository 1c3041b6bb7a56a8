//! Which app is asking (RFC 6749 section 2.3).

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use url::form_urlencoded;

use crate::{
    config::{App, Credentials, Registry},
    form::Params,
    jose::{
        client_assertion::{self, AssertionRefusal, Expected, LONGEST_LIFE},
        jti_cache::JtiCache,
    },
    oauth::error::{OauthCode, OauthError},
    state::{Outbox, Record},
    timestamp::Timestamp,
};

struct Basic {
    id: String,
    secret: String,
}

/// The only kind of assertion there is (RFC 7523 section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What client authentication is held against.
pub(crate) struct Authenticator<'a> {
    pub(crate) registry: &'a Registry,
    /// The assertions that were used already.
    pub(crate) used: &'a mut JtiCache,
    /// The platform's address. An assertion may be made out to it, the issuer, or to its token endpoint.
    pub(crate) base: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) outbox: &'a mut Outbox,
}

impl Authenticator<'_> {
    /// The app that sent `headers` and `params`.
    pub(crate) fn authenticate(
        &mut self,
        headers: &HeaderMap,
        params: &Params,
    ) -> Result<Arc<App>, OauthError> {
        let in_body = params.get("client_id")?;
        let basic = basic(headers)?;
        match (params.get("client_assertion")?, basic) {
            // RFC 6749 section 2.3: never more than one method.
            (Some(_), Some(_)) => Err(OauthCode::Oau123.into()),
            (Some(assertion), None) => self.authenticate_assertion(
                assertion,
                params.get("client_assertion_type")?,
                in_body,
            ),
            (None, Some(basic)) => authenticate_basic(self.registry, &basic, in_body),
            (None, None) => authenticate_body(self.registry, in_body, params.get("client_secret")?),
        }
    }

    /// `client_secret_jwt` and `private_key_jwt` (RFC 7523 section 2.2). Platform §3.
    fn authenticate_assertion(
        &mut self,
        assertion: &str,
        assertion_type: Option<&str>,
        in_body: Option<&str>,
    ) -> Result<Arc<App>, OauthError> {
        if assertion_type != Some(ASSERTION_TYPE) {
            return Err(OauthError::parameter("client_assertion_type"));
        }
        let refused = |refusal: AssertionRefusal| OauthError::from(OauthCode::of_client(refusal));
        let client_id = client_assertion::claimed_client_id(assertion).map_err(refused)?;
        if in_body.is_some_and(|in_body| in_body != client_id) {
            return Err(OauthCode::Oau120.into());
        }
        let app = self.registry.app(&client_id);
        let app = app.ok_or_else(|| OauthError::unknown_client(&client_id))?;
        let keys = app.credentials().verifying_keys();
        let token_endpoint = format!("{}/restapi/oauth/token", self.base);
        let expected = Expected {
            client_id: &client_id,
            audiences: &[&token_endpoint, self.base],
            longest_life: LONGEST_LIFE,
            now: self.now,
        };
        // An app may register several keys, to change them without a break.
        let mut refusal = OauthError::from(OauthCode::Oau146);
        for key in keys {
            match client_assertion::verify(assertion, key, &expected, self.used) {
                Ok(spent) => {
                    self.outbox.push(|| Record::AssertionSpent(spent));
                    return Ok(Arc::clone(app));
                }
                Err(error) => refusal = refused(error),
            }
        }
        Err(refusal)
    }
}

/// The client id that a request names, before anything of it is checked.
pub(crate) fn claimed(headers: &HeaderMap, params: &Params) -> Option<String> {
    let in_body = || params.first("client_id").map(str::to_owned);
    let asserted = || {
        let assertion = params.first("client_assertion")?;
        client_assertion::claimed_client_id(assertion).ok()
    };
    let basic = basic(headers).ok().flatten();
    basic
        .map(|basic| basic.id)
        .or_else(in_body)
        .or_else(asserted)
}

fn authenticate_basic(
    registry: &Registry,
    basic: &Basic,
    in_body: Option<&str>,
) -> Result<Arc<App>, OauthError> {
    // Platform §3: a Basic header without secret is an invalid client; public apps must leave it out.
    let found = registry.app(&basic.id).filter(|_| !basic.secret.is_empty());
    let app = found.ok_or_else(|| basic.stray_or(OauthError::unknown_client(&basic.id)))?;
    // Platform §3: client_id in the body beside Basic is tolerated; two official clients always send both.
    if in_body.is_some_and(|client_id| client_id != app.client_id()) {
        return Err(OauthCode::Oau120.into());
    }
    match app.credentials() {
        Credentials::Secret(secret) if *secret == basic.secret => Ok(Arc::clone(app)),
        Credentials::Secret(_) => Err(basic.stray_or(OauthCode::Oau146.into())),
        Credentials::Public | Credentials::Keys(_) => Err(OauthError::unknown_client(&basic.id)),
    }
}

/// Platform §3: a public app sends `client_id` in the body and no Authorization header.
fn authenticate_body(
    registry: &Registry,
    client_id: Option<&str>,
    client_secret: Option<&str>,
) -> Result<Arc<App>, OauthError> {
    let client_id = client_id.ok_or(OauthCode::Oau123)?;
    // Platform §3: client_secret_post is not offered; it was answered with OAU-153 and an empty client id.
    if client_secret.is_some() {
        return Err(OauthError::unknown_client(""));
    }
    let app = registry
        .app(client_id)
        .ok_or_else(|| OauthError::unknown_client(client_id))?;
    match app.credentials() {
        Credentials::Public => Ok(Arc::clone(app)),
        Credentials::Secret(_) | Credentials::Keys(_) => Err(OauthCode::Oau123.into()),
    }
}

impl Basic {
    /// Platform §3: an id or secret with stray characters is OAU-156, "Basic authentication header is missing or
    /// malformed", and not a wrong one. Which characters are stray is assumed: all that no id or secret has.
    fn stray_or(&self, error: OauthError) -> OauthError {
        let ordinary = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if self.id.bytes().chain(self.secret.bytes()).all(ordinary) {
            error
        } else {
            OauthCode::Oau156.into()
        }
    }
}

/// Platform §3: what cannot be read is OAU-156, "Basic authentication header is missing or malformed".
fn basic(headers: &HeaderMap) -> Result<Option<Basic>, OauthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let malformed = || OauthError::new(OauthCode::Oau156);
    if values.next().is_some() {
        return Err(malformed());
    }
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, encoded) = value.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(malformed)?;
    Ok(Some(Basic {
        id: form_decoded(id),
        secret: form_decoded(secret),
    }))
}

/// RFC 6749 section 2.3.1 form-encodes both before they are joined.
fn form_decoded(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    form_urlencoded::parse(format!("v={text}").as_bytes())
        .next()
        .map_or_else(|| text.to_owned(), |(_, value)| value.into_owned())
}
