//! A platform in the middle of its life, what a client of it knows, and what nobody may tell that client.

use std::{sync::OnceLock, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use rc_sim::{Config, Platform, Timestamp};
use serde_json::Value;
use url::form_urlencoded;

use crate::{jose::Signers, message::Message};

/// Ids, secrets and tokens of a seed are always the same, so the corpus may name them.
pub(crate) const SEED: u64 = 7;
pub(crate) const REDIRECT_URI: &str = "http://localhost:8080/oauth/callback";
const ADA: &str = "ada@acme.example";
const GRACE: &str = "grace@acme.example";
const NAMESPACE: &str = "beside";
/// What passes between two inputs: enough to stay below the limits, as a penalty would never end.
const STEP: Duration = Duration::from_millis(250);

pub(crate) struct Stage {
    pub(crate) platform: Platform,
    pub(crate) now: Timestamp,
    signers: &'static Signers,
    /// Ada's personal JWT.
    personal: String,
    /// What stands for which placeholder.
    values: Vec<(&'static str, String)>,
    /// Tokens of others, which are in no input.
    pub(crate) secrets: Vec<String>,
    serial: u64,
}

/// What takes long to make, and is the same each time.
struct Known {
    signers: Signers,
    ada: String,
    grace: String,
}

static KNOWN: OnceLock<Known> = OnceLock::new();

impl Known {
    fn of(platform: &Platform, client_secret: &str) -> Self {
        let jwt = |login| platform.personal_jwt(login).expect("a JWT");
        let ada = jwt(ADA);
        Self {
            signers: Signers::new(client_secret, &ada),
            grace: jwt(GRACE),
            ada,
        }
    }
}

fn config() -> Config {
    let mut config = Config::demo(SEED, REDIRECT_URI);
    for app in &mut config.apps {
        let all = [
            "ReadAccounts",
            "ReadMessages",
            "EditMessages",
            "SMS",
            "ReadCallLog",
        ];
        app.permissions = all.map(String::from).to_vec();
    }
    // Windows are kept, and are not reached.
    let limits = &mut config.switches.limits;
    (limits.light, limits.medium, limits.heavy, limits.auth) = (550, 550, 550, 550);
    config
}

fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs).finish()
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0.to_owned())
}

impl Stage {
    pub(crate) fn new() -> Self {
        let platform = Platform::new(config());
        let app = platform.config().confidential_app().expect("demo app");
        let secret = app.client_secret().expect("confidential").to_owned();
        let known = KNOWN.get_or_init(|| Known::of(&platform, &secret));
        let mut stage = Self {
            platform,
            now: Timestamp::from_millis(1_800_000_000_000),
            signers: &known.signers,
            personal: known.ada.clone(),
            values: Vec::new(),
            secrets: vec![secret, known.grace.clone()],
            serial: 0,
        };
        stage.learn_others();
        stage.refresh();
        stage
    }

    /// Others sign in: a colleague, and somebody in another namespace.
    fn learn_others(&mut self) {
        let (access, refresh) = self.session(GRACE).expect("a session");
        let code = self.code(GRACE).expect("a code");
        let (cookie, ticket) = self.browser(GRACE).expect("a browser");
        self.secrets.extend([access, refresh, code, cookie, ticket]);
        let namespace = self.platform.add_namespace(NAMESPACE).expect("a namespace");
        let secret = namespace
            .config()
            .confidential_app()
            .and_then(|app| app.client_secret());
        self.secrets.extend(secret.map(str::to_owned));
    }

    /// Lets time pass, and replaces what an input may have used up.
    pub(crate) fn pass(&mut self, count: u64) {
        self.now = self.now.plus(STEP);
        self.serial = count;
        if count.is_multiple_of(64) {
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        let ids = |stage: &Self| {
            let config = stage.platform.config();
            let id = |app: Option<&rc_sim::App>| app.map(|app| app.client_id().to_owned());
            (
                id(config.confidential_app()).unwrap_or_default(),
                id(config.public_app()).unwrap_or_default(),
                id(config.key_app()).unwrap_or_default(),
            )
        };
        let (client, public, key) = ids(self);
        let basic = self.basic();
        let session = self.session(ADA).unwrap_or_default();
        let code = self.code(ADA).unwrap_or_default();
        let (cookie, ticket) = self.browser(ADA).unwrap_or_default();
        self.values = vec![
            ("{client}", client),
            ("{public}", public),
            ("{key}", key),
            ("{client_secret}", self.secrets[0].clone()),
            ("{basic}", basic),
            (
                "{redirect_uri}",
                REDIRECT_URI.replace(':', "%3A").replace('/', "%2F"),
            ),
            ("{access}", session.0),
            ("{refresh}", session.1),
            ("{code}", code),
            ("{cookie}", cookie),
            ("{ticket}", ticket),
            ("{query}", self.query()),
            ("{personal}", self.personal.clone()),
            ("{namespace}", NAMESPACE.to_owned()),
        ];
    }

    fn basic(&self) -> String {
        let app = self.platform.config().confidential_app();
        let id = app.map(rc_sim::App::client_id).unwrap_or_default();
        STANDARD.encode(format!("{id}:{}", self.secrets[0]))
    }

    /// The query of an authorization request that leads to the consent page.
    fn query(&self) -> String {
        let app = self.platform.config().confidential_app();
        let id = app.map(rc_sim::App::client_id).unwrap_or_default();
        form(&[
            ("response_type", "code"),
            ("client_id", id),
            ("redirect_uri", REDIRECT_URI),
            ("prompt", "consent"),
        ])
    }

    fn post(&mut self, uri: &str, body: String, authorization: &str) -> Response<Bytes> {
        let request = Request::post(uri)
            .header("authorization", authorization)
            .header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(Bytes::from(body)).expect("a request");
        self.platform.respond(&request, self.now)
    }

    fn code(&mut self, login: &str) -> Option<String> {
        let query = self.query().replace("&prompt=consent", "");
        let url = format!("/restapi/oauth/authorize?{query}");
        let callback = self.platform.sign_in(&url, login, self.now).ok()?;
        callback.param("code")
    }

    fn session(&mut self, login: &str) -> Option<(String, String)> {
        let code = self.code(login)?;
        let body = form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
        ]);
        let basic = format!("Basic {}", self.basic());
        let answer = self.post("/restapi/oauth/token", body, &basic);
        let answer: Value = serde_json::from_slice(answer.body()).ok()?;
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Some((text("access_token")?, text("refresh_token")?))
    }

    /// The cookie and the consent ticket of a browser.
    fn browser(&mut self, login: &str) -> Option<(String, String)> {
        let users = &self.platform.config().users;
        let password = users.iter().find(|user| user.login == login)?.password();
        let body = form(&[("login", login), ("password", password)]);
        let answer = self.post(&format!("/login?{}", self.query()), body, "");
        let cookie = answer
            .headers()
            .get("set-cookie")
            .and_then(|it| it.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        let page = String::from_utf8_lossy(answer.body()).into_owned();
        let ticket = between(&page, r#"name="ticket" value=""#, "\"")?;
        Some((cookie.unwrap_or_default().to_owned(), ticket))
    }

    /// The message with everything in place of its placeholders.
    pub(crate) fn expand(&self, message: &Message) -> Message {
        let seconds = self.now.millis() / 1000;
        let serial = self.serial.to_string();
        let mut numbers = vec![
            ("\"{now}\"", seconds.to_string()),
            ("\"{soon}\"", (seconds + 60).to_string()),
            ("{serial}", serial),
        ];
        let fill = |text: &[u8], more: &[(&str, String)]| self.fill(text, more);
        if let Some(claims) = message.made_of("make-claims") {
            let header = fill(message.made_of("make-header").unwrap_or_default(), &numbers);
            let key = message.made_of("make-key").unwrap_or_default();
            let jwt = self.signers.sign(&header, &fill(claims, &numbers), key);
            numbers.push(("{jwt}", jwt));
        }
        if let Some(plain) = message.made_of("make-basic") {
            numbers.push(("{made-basic}", STANDARD.encode(fill(plain, &numbers))));
        }
        Message {
            method: message.method.clone(),
            uri: fill(&message.uri, &numbers),
            headers: message
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), fill(value, &numbers)))
                .collect(),
            body: fill(&message.body, &numbers),
        }
    }

    fn fill(&self, text: &[u8], more: &[(&str, String)]) -> Vec<u8> {
        let own = self.values.iter();
        let all = more
            .iter()
            .map(|(name, value)| (*name, value))
            .chain(own.map(|(n, v)| (*n, v)));
        let mut text = text.to_vec();
        for (name, value) in all {
            if !text.contains(&b'{') {
                break;
            }
            replace(&mut text, name.as_bytes(), value.as_bytes());
        }
        text
    }
}

fn replace(text: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    // The longest an input may grow to, however often it names a long value.
    const LONGEST: usize = 64 * 1024;
    let mut from = 0;
    while text.len() < LONGEST
        && let Some(at) = text[from..]
            .windows(name.len())
            .position(|part| part == name)
    {
        let at = from + at;
        text.splice(at..at + name.len(), value.iter().copied());
        from = at + value.len();
    }
}
