//! A platform, a clock and an app, for tests that talk to the platform without a socket.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response, header};
use rc_sim::{Callback, Config, Platform, RefreshReplay, Switches, Timestamp};
use serde_json::Value;
use url::form_urlencoded;

pub(crate) const REDIRECT_URI: &str = "http://localhost:8080/oauth/callback";
pub(crate) const ADA: &str = "ada@acme.example";
pub(crate) const GRACE: &str = "grace@acme.example";
pub(crate) const EXTENSION: &str = "/restapi/v1.0/account/~/extension/~";
/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) struct Stage {
    pub(crate) platform: Platform,
    pub(crate) now: Timestamp,
}

/// The tokens of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

pub(crate) fn demo() -> Config {
    let mut config = Config::demo(7, REDIRECT_URI);
    config.switches.limits.enabled = false;
    config
}

/// The demo whose apps may do everything that is simulated.
pub(crate) fn company() -> Config {
    let mut config = demo();
    for app in &mut config.apps {
        app.permissions = [
            "ReadAccounts",
            "ReadMessages",
            "EditMessages",
            "SMS",
            "ReadCallLog",
        ]
        .map(String::from)
        .to_vec();
    }
    config
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

pub(crate) fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).expect("a JSON body")
}

/// Status, `error` or top-level `errorCode`, and the code of the first of `errors`.
pub(crate) fn refusal(response: &Response<Bytes>) -> (u16, String, String) {
    let body = json(response);
    let top = body["error"]
        .as_str()
        .or(body["errorCode"].as_str())
        .unwrap_or_default();
    let code = body["errors"][0]["errorCode"].as_str().unwrap_or_default();
    (response.status().as_u16(), top.to_owned(), code.to_owned())
}

pub(crate) fn refused(status: u16, top: &str, code: &str) -> (u16, String, String) {
    (status, top.to_owned(), code.to_owned())
}

pub(crate) fn pair(response: &Response<Bytes>) -> Pair {
    assert_eq!(
        response.status(),
        200,
        "{}",
        String::from_utf8_lossy(response.body())
    );
    let body = json(response);
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    Pair {
        access: text("access_token"),
        refresh: text("refresh_token"),
    }
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// The value of a hidden field of a page.
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let field = format!(r#"type="hidden" name="{name}" value=""#);
    let (_, rest) = page.split_once(&field).expect("a hidden field");
    rest.split_once('"').expect("a value").0.to_owned()
}

/// A parameter of an address.
pub(crate) fn query_param(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

pub(crate) fn text(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).expect("text")
}

/// A header, or nothing where it is absent.
pub(crate) fn header_of<'a>(response: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::of(demo())
    }

    pub(crate) fn of(config: Config) -> Self {
        let now = Timestamp::from_millis(1_800_000_000_000);
        Self {
            platform: Platform::new(config),
            now,
        }
    }

    pub(crate) fn with(change: impl FnOnce(&mut Switches)) -> Self {
        let mut config = demo();
        change(&mut config.switches);
        Self::of(config)
    }

    pub(crate) fn strict() -> Self {
        Self::with(|switches| switches.refresh_replay = RefreshReplay::Strict)
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    pub(crate) fn client_id(&self) -> String {
        self.platform
            .config()
            .confidential_app()
            .expect("demo app")
            .client_id()
            .to_owned()
    }

    pub(crate) fn public_client_id(&self) -> String {
        self.platform
            .config()
            .public_app()
            .expect("demo app")
            .client_id()
            .to_owned()
    }

    pub(crate) fn basic(&self) -> String {
        let app = self.platform.config().confidential_app().expect("demo app");
        basic(app.client_id(), app.client_secret().expect("confidential"))
    }

    pub(crate) fn authorize_url(&self, more: &[(&str, &str)]) -> String {
        let client_id = self.client_id();
        let mut pairs = vec![("response_type", "code"), ("client_id", &client_id)];
        pairs.extend([("redirect_uri", REDIRECT_URI), ("state", "st at&e")]);
        pairs.extend(more);
        format!("/restapi/oauth/authorize?{}", form(&pairs))
    }

    pub(crate) fn get(&mut self, uri: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::new()).expect("a request");
        self.platform.respond(&request, self.now)
    }

    pub(crate) fn post(
        &mut self,
        uri: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Response<Bytes> {
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.platform
            .respond(&request.body(body).expect("a request"), self.now)
    }

    /// Sends a request of any kind with an access token.
    pub(crate) fn send(
        &mut self,
        method: &str,
        uri: &str,
        access: &str,
        body: &str,
    ) -> Response<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::AUTHORIZATION, format!("Bearer {access}"))
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .expect("a request");
        self.platform.respond(&request, self.now)
    }

    pub(crate) fn post_form(
        &mut self,
        uri: &str,
        pairs: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Response<Bytes> {
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
        headers.extend(authorization.map(|value| ("authorization", value)));
        self.post(uri, &form(pairs), &headers)
    }

    /// A token request of the confidential app.
    pub(crate) fn token(&mut self, pairs: &[(&str, &str)]) -> Response<Bytes> {
        let basic = self.basic();
        self.post_form("/restapi/oauth/token", pairs, Some(&basic))
    }

    pub(crate) fn callback(&mut self) -> Callback {
        let url = self.authorize_url(&[]);
        self.platform
            .sign_in(&url, ADA, self.now)
            .expect("a callback")
    }

    pub(crate) fn code(&mut self) -> String {
        self.callback().param("code").expect("a code")
    }

    pub(crate) fn exchange(&mut self, code: &str) -> Response<Bytes> {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
        ])
    }

    /// Signs a user in and returns the access token.
    pub(crate) fn access_of(&mut self, login: &str) -> String {
        let url = self.authorize_url(&[]);
        let callback = self.platform.sign_in(&url, login, self.now);
        let code = callback.expect("a callback").param("code").expect("a code");
        pair(&self.exchange(&code)).access
    }

    pub(crate) fn sign_in(&mut self) -> Pair {
        let code = self.code();
        pair(&self.exchange(&code))
    }

    pub(crate) fn refresh(&mut self, token: &str) -> Response<Bytes> {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// Calls the API with an access token.
    pub(crate) fn call(&mut self, access: &str) -> Response<Bytes> {
        self.get(EXTENSION, &[("authorization", &format!("Bearer {access}"))])
    }

    pub(crate) fn revoke(&mut self, token: &str) -> Response<Bytes> {
        let basic = self.basic();
        self.post_form("/restapi/oauth/revoke", &[("token", token)], Some(&basic))
    }

    /// A request of the control API with a JSON body; `null` sends none.
    pub(crate) fn control(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/sim/{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::from(body)).expect("a request");
        let response = self.platform.control(&request, self.now);
        (response.status().as_u16(), json(&response))
    }

    pub(crate) fn live_sessions(&self) -> u64 {
        self.platform.counters(self.now).live_sessions
    }
}

pub(crate) fn location(response: &Response<Bytes>) -> String {
    let location = response
        .headers()
        .get(header::LOCATION)
        .expect("a redirect");
    location.to_str().expect("an address").to_owned()
}
