//! Which app is asking (RFC 6749 section 2.3).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use url::form_urlencoded;

use crate::{
    config::App,
    form::Params,
    oauth_error::{OauthCode, OauthError},
};

struct Basic {
    id: String,
    secret: String,
}

/// The index of the app that sent `headers` and `params`.
pub(crate) fn authenticate(
    apps: &[App],
    headers: &HeaderMap,
    params: &Params,
) -> Result<usize, OauthError> {
    let in_body = params.get("client_id")?;
    match basic(headers)? {
        Some(basic) => authenticate_basic(apps, &basic, in_body),
        None => authenticate_body(apps, in_body, params.get("client_secret")?),
    }
}

fn authenticate_basic(
    apps: &[App],
    basic: &Basic,
    in_body: Option<&str>,
) -> Result<usize, OauthError> {
    // Platform: a Basic header without secret is an invalid client; public apps must leave it out.
    let found = position(apps, &basic.id);
    let app = found.filter(|_| !basic.secret.is_empty());
    let app = app.ok_or_else(|| OauthError::unknown_client(&basic.id))?;
    // Platform: client_id in the body beside Basic is tolerated; two official clients always send both.
    if in_body.is_some_and(|client_id| client_id != apps[app].client_id()) {
        return Err(OauthCode::Oau120.into());
    }
    match apps[app].client_secret() {
        Some(secret) if secret == basic.secret => Ok(app),
        Some(_) => Err(OauthCode::Oau146.into()),
        None => Err(OauthError::unknown_client(&basic.id)),
    }
}

/// Platform: a public app sends `client_id` in the body and no Authorization header.
fn authenticate_body(
    apps: &[App],
    client_id: Option<&str>,
    client_secret: Option<&str>,
) -> Result<usize, OauthError> {
    let client_id = client_id.ok_or(OauthCode::Oau123)?;
    // Platform: client_secret_post is not offered; it was answered with OAU-153 and an empty client id.
    if client_secret.is_some() {
        return Err(OauthError::unknown_client(""));
    }
    let app = position(apps, client_id).ok_or_else(|| OauthError::unknown_client(client_id))?;
    match apps[app].client_secret() {
        None => Ok(app),
        Some(_) => Err(OauthCode::Oau123.into()),
    }
}

pub(crate) fn position(apps: &[App], client_id: &str) -> Option<usize> {
    apps.iter().position(|app| app.client_id() == client_id)
}

/// Platform: stray characters are OAU-156, "Basic authentication header is missing or malformed".
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
