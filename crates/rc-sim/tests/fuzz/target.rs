//! What is fuzzed: where inputs go, what they are changed with, and what they have to come to.

use bytes::Bytes;
use http::{Request, Response};
use rc_sim::{Config, Platform};
use serde_json::Value;

use crate::{
    checks,
    message::Message,
    mutation::Weights,
    stage::{REDIRECT_URI, SEED, Stage},
    words,
};

/// One way into the platform.
pub(crate) struct Target {
    /// Of its folder in the corpus.
    pub(crate) name: &'static str,
    pub(crate) words: &'static [&'static str],
    /// Nothing where inputs are no requests.
    pub(crate) weights: Option<Weights>,
    /// Runs an input: what came of it in a word or two, or what is wrong with that.
    pub(crate) run: fn(&mut Stage, &[u8]) -> Result<String, String>,
    /// A platform serves so many inputs.
    pub(crate) life: u64,
}

/// Without end: what grows is seen.
const FOREVER: u64 = u64::MAX;
/// Inputs that change the platform itself spoil it for those after them.
const SHORT: u64 = 2_000;

const fn weights(method: usize, uri: usize, headers: usize, body: usize) -> Weights {
    Weights {
        method,
        uri,
        headers,
        body,
    }
}

const fn target(name: &'static str, words: &'static [&'static str], weights: Weights) -> Target {
    Target {
        name,
        words,
        weights: Some(weights),
        run: request,
        life: FOREVER,
    }
}

pub(crate) const TARGETS: &[Target] = &[
    target("authorize", words::AUTHORIZE, weights(1, 12, 2, 6)),
    target("token", words::TOKEN, weights(1, 1, 3, 20)),
    target("basic", words::BASIC, weights(0, 1, 20, 2)),
    target("bearer", words::BEARER, weights(1, 3, 20, 0)),
    target("client-assertion", words::JWT, weights(0, 0, 15, 5)),
    target("personal-jwt", words::JWT, weights(0, 0, 15, 5)),
    target("resources", words::RESOURCES, weights(2, 20, 2, 8)),
    target("browser", words::BROWSER, weights(1, 5, 10, 10)),
    Target {
        run: control,
        life: SHORT,
        ..target("control", words::CONTROL, weights(1, 4, 2, 20))
    },
    Target {
        run: control,
        life: SHORT,
        ..target("snapshot", words::CONTROL, weights(0, 0, 0, 1))
    },
    Target {
        weights: None,
        run: configuration,
        life: SHORT,
        ..target("toml", words::TOML, weights(0, 0, 0, 1))
    },
];

/// What came of a request, coarsely, so that inputs which come to something new are recognized.
fn outcome(request: &Request<Bytes>, response: &Response<Bytes>) -> String {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let code = body["errors"][0]["errorCode"].as_str();
    let parameter = body["errors"][0]["parameterName"]
        .as_str()
        .unwrap_or_default();
    let code = code
        .or(body["errorCode"].as_str())
        .or(body["error"].as_str());
    let location = response
        .headers()
        .get("location")
        .and_then(|to| to.to_str().ok());
    let error =
        location.and_then(|to| to.split(['?', '&']).find(|pair| pair.starts_with("error=")));
    let path: String = request
        .uri()
        .path()
        .chars()
        .take(24)
        .filter(|c| !c.is_ascii_digit())
        .collect();
    // Values differ; the sentence around them does not.
    let code = code.unwrap_or_default().chars().take(60);
    let code: String = code
        .filter(|c| !c.is_ascii_digit() || !path.starts_with("/sim"))
        .collect();
    let code = code
        .split(['"', '`', '\''])
        .next()
        .unwrap_or_default()
        .to_owned();
    let known = [
        "/restapi/oauth",
        "/sim/",
        "/login",
        "/.well-known",
        "/restapi/v",
    ];
    let place = known.into_iter().find(|known| path.starts_with(known));
    let (place, status) = (place.unwrap_or("other"), response.status().as_u16());
    format!(
        "{} {place} {status} {code} {parameter} {error:?}",
        request.method()
    )
}

fn request(stage: &mut Stage, input: &[u8]) -> Result<String, String> {
    let Some(request) = stage.expand(&Message::parse(input)).request() else {
        return Ok("no request".to_owned());
    };
    let response = stage.platform.respond(&request, stage.now);
    checks::answer(stage, &request, &response)?;
    Ok(outcome(&request, &response))
}

/// After a request of the control API the platform still answers.
fn control(stage: &mut Stage, input: &[u8]) -> Result<String, String> {
    let Some(request) = stage.expand(&Message::parse(input)).request() else {
        return Ok("no request".to_owned());
    };
    let response = stage.platform.control(&request, stage.now);
    checks::control(stage, &request, &response)?;
    for text in [
        &b"GET /restapi/v1.0/account/~/extension/~/call-log\nauthorization: Bearer {access}"[..],
        b"GET /restapi/v1.0/account/~/extension/~/message-store\nauthorization: Bearer {access}",
        b"POST /restapi/oauth/token\nauthorization: Basic {basic}\n\ngrant_type=refresh_token&refresh_token={refresh}",
        b"POST /login/consent?{query}\n\nticket={ticket}&action=allow",
    ] {
        // A fault may answer anything; what counts is that something does.
        let Some(request) = stage.expand(&Message::parse(text)).request() else { continue };
        stage.platform.respond(&request, stage.now);
    }
    Ok(outcome(&request, &response))
}

fn configuration(stage: &mut Stage, input: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(input);
    let config = match Config::demo(SEED, REDIRECT_URI).with_toml(&text) {
        Ok(config) => config,
        Err(error) => {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            let words = last.split(['"', '`', '\'']).next().unwrap_or_default();
            return Ok(words
                .chars()
                .take(40)
                .filter(|c| !c.is_ascii_digit())
                .collect());
        }
    };
    let app = config.apps.first();
    let (client, to) = app.map_or(("", None), |app| {
        (app.client_id(), app.redirect_uris.first())
    });
    let pairs = [("response_type", "code"), ("client_id", client)];
    let to = to.map(|to| ("redirect_uri", to.as_str()));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs.into_iter().chain(to))
        .finish();
    let logins: Vec<String> = config.users.iter().map(|user| user.login.clone()).collect();
    let mut platform = Platform::new(config.clone());
    let url = format!("/restapi/oauth/authorize?{query}");
    for login in logins.iter().take(3) {
        drop(platform.sign_in(&url, login, stage.now));
    }
    for uri in [
        &url,
        &format!("{url}&prompt=none"),
        "/.well-known/openid-configuration",
        "/restapi/v1.0/account/~",
    ] {
        let request = Request::get(uri)
            .body(Bytes::new())
            .map_err(|error| error.to_string())?;
        let response = platform.respond(&request, stage.now);
        checks::answer(stage, &request, &response)?;
    }
    let life = config.switches.code_life.as_secs().min(1);
    Ok(format!(
        "{} {} {life}",
        config.apps.len().min(3),
        config.users.len().min(3)
    ))
}
