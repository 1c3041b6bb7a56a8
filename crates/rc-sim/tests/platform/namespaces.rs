//! Namespaces: isolated platforms behind one address.

use bytes::Bytes;
use http::Response;
use rc_sim::{NamespaceError, Platform};
use serde_json::{Value, json};

use crate::stage::{
    ADA, EXTENSION, Pair, REDIRECT_URI, Stage, basic, demo, pair, refusal, refused, secs,
};

const TOKEN: &str = "/restapi/oauth/token";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The credentials of an app.
#[derive(Clone)]
struct Client {
    id: String,
    basic: String,
}

impl Client {
    fn of(platform: &Platform) -> Self {
        let app = platform.config().confidential_app().expect("demo app");
        let id = app.client_id().to_owned();
        let secret = app.client_secret().expect("a secret");
        Self {
            basic: basic(&id, secret),
            id,
        }
    }

    /// Signs Ada in to this app; only the client id says where.
    fn sign_in(&self, stage: &mut Stage) -> Pair {
        let Self { id, basic } = self;
        let url = format!("/restapi/oauth/authorize?response_type=code&client_id={id}");
        let page = crate::stage::location(&stage.get(&url, &[]));
        let body = [("login", ADA), ("password", "Engine-1843")];
        let mut answer = stage.post_form(&page, &body, None);
        if answer.status() == 200 {
            let ticket = crate::stage::hidden(&crate::stage::text(&answer), "ticket");
            let body = [("ticket", ticket.as_str()), ("action", "allow")];
            let consent = page.replacen("/login", "/login/consent", 1);
            answer = stage.post_form(&consent, &body, None);
        }
        let address = crate::stage::location(&answer);
        let code = crate::stage::query_param(&address, "code").expect("a code");
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", REDIRECT_URI),
        ];
        pair(&stage.post_form(TOKEN, &pairs, Some(basic)))
    }

    fn refresh(&self, stage: &mut Stage, token: &str) -> Response<Bytes> {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", token)];
        stage.post_form(TOKEN, &pairs, Some(&self.basic))
    }

    fn exchange_jwt(&self, stage: &mut Stage, jwt: &str) -> Response<Bytes> {
        let pairs = [("grant_type", GRANT), ("assertion", jwt)];
        stage.post_form(TOKEN, &pairs, Some(&self.basic))
    }
}

/// A platform with the namespaces `one` and `two`, and the clients of all three.
fn three() -> (Stage, [Client; 3]) {
    three_of(Stage::new())
}

fn three_of(mut stage: Stage) -> (Stage, [Client; 3]) {
    let main = Client::of(&stage.platform);
    let [one, two] = ["one", "two"].map(|name| {
        let namespace = stage.platform.add_namespace(name).expect("a namespace");
        Client::of(namespace)
    });
    (stage, [main, one, two])
}

fn call_in(stage: &mut Stage, namespace: &str, access: &str) -> Response<Bytes> {
    let bearer = format!("Bearer {access}");
    let headers = [("authorization", &*bearer), ("x-sim-namespace", namespace)];
    stage.get(EXTENSION, &headers)
}

fn sessions_of(stage: &Stage) -> [u64; 3] {
    let live = |platform: &Platform| platform.counters(stage.now).live_sessions;
    let of = |name| live(stage.platform.namespace(name).expect("a namespace"));
    [live(&stage.platform), of("one"), of("two")]
}

#[test]
fn client_ids_and_tokens_lead_to_the_namespace_they_are_of() {
    let (mut stage, clients) = three();
    let [main, one, two] = clients.clone().map(|client| client.sign_in(&mut stage));
    assert_eq!(sessions_of(&stage), [1, 1, 1]);
    assert!(main != one && one != two);
    let [_, client, _] = &clients;
    client.sign_in(&mut stage);
    assert_eq!(sessions_of(&stage), [1, 2, 1]);
    for token in [&main, &one, &two] {
        assert_eq!(stage.call(&token.access).status(), 200);
    }
    let pairs = [("token", one.access.as_str())];
    let revoked = stage.post_form("/restapi/oauth/revoke", &pairs, Some(&client.basic));
    assert_eq!(revoked.status(), 200);
    assert_eq!(sessions_of(&stage), [1, 1, 1]);
    assert_eq!(refusal(&stage.call(&one.access)).2, "OAU-213");
    assert_eq!(stage.call(&main.access).status(), 200);
}

#[test]
fn a_token_of_one_namespace_is_not_known_in_another() {
    let (mut stage, clients) = three();
    let [main, one, _] = clients.clone().map(|client| client.sign_in(&mut stage));
    let [of_main, of_one, of_two] = &clients;
    for (client, token) in [(of_two, &one), (of_main, &one), (of_one, &main)] {
        assert_eq!(
            refusal(&client.refresh(&mut stage, &token.refresh)),
            refused(400, "invalid_grant", "OAU-213")
        );
    }
    assert_eq!(call_in(&mut stage, "one", &one.access).status(), 200);
    for (name, token) in [("two", &one), ("one", &main)] {
        let answer = call_in(&mut stage, name, &token.access);
        assert_eq!(answer.status(), 401, "{name}");
    }
    pair(&of_one.refresh(&mut stage, &one.refresh));
}

#[test]
fn the_header_comes_before_client_id_and_token() {
    let (mut stage, [main, one, _]) = three();
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let body = crate::stage::form(&pairs);
    for (client, code) in [(&main, "OAU-153"), (&one, "OAU-213")] {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", &*client.basic),
            ("x-sim-namespace", "one"),
        ];
        let response = stage.post(TOKEN, &body, &headers);
        assert_eq!(refusal(&response).2, code);
    }
    for uri in [EXTENSION, TOKEN, "/restapi/oauth/jwks", "/login"] {
        let response = stage.get(uri, &[("x-sim-namespace", "three")]);
        assert_eq!(
            refusal(&response),
            refused(404, "SIM-404", "SIM-404"),
            "{uri}"
        );
        assert!(crate::stage::text(&response).contains("[three]"));
    }
    assert_eq!(
        stage
            .control(
                "GET",
                "clock",
                &Value::Null,
                &[("x-sim-namespace", "three")]
            )
            .0,
        404
    );
}

#[test]
fn also_without_namespaces_an_unknown_one_is_refused() {
    let mut stage = Stage::new();
    let response = stage.get("/restapi", &[("x-sim-namespace", "x")]);
    assert_eq!(response.status(), 404);
}

#[test]
fn limits_are_counted_apart() {
    let mut config = demo();
    config.switches.limits.enabled = true;
    let (mut stage, [main, one, two]) = three_of(Stage::of(config));
    for _ in 0..5 {
        assert_eq!(refusal(&one.refresh(&mut stage, "x")).2, "OAU-213");
    }
    assert_eq!(refusal(&one.refresh(&mut stage, "x")).2, "CMN-301");
    for client in [main, two] {
        assert_eq!(refusal(&client.refresh(&mut stage, "x")).2, "OAU-213");
    }
}

#[test]
fn faults_strike_the_namespace_they_were_added_to() {
    let (mut stage, [main, one, two]) = three();
    let fault = json!({ "fault": "unavailable", "times": 9 });
    let in_one = [("x-sim-namespace", "one")];
    assert_eq!(stage.control("POST", "faults", &fault, &in_one).0, 200);
    for (client, status) in [(&main, 400), (&one, 503), (&two, 400)] {
        assert_eq!(client.refresh(&mut stage, "x").status(), status);
    }
    let mut waiting = |headers: &[(&str, &str)]| {
        let (_, body) = stage.control("GET", "faults", &Value::Null, headers);
        body["faults"].as_array().map(Vec::len)
    };
    assert_eq!((waiting(&[]), waiting(&in_one)), (Some(0), Some(1)));
}

#[test]
fn clock_switches_users_and_events_are_each_ones_own() {
    let (mut stage, [main, one, _]) = three();
    let (of_main, of_one) = (main.sign_in(&mut stage), one.sign_in(&mut stage));
    let in_one = [("x-sim-namespace", "one")];
    let hour = json!({ "seconds": 3600 });
    stage.control("POST", "clock/advance", &hour, &in_one);
    assert_eq!(refusal(&stage.call(&of_one.access)).2, "OAU-128");
    assert_eq!(stage.call(&of_main.access).status(), 200);

    let strict = json!({ "refresh_replay": "strict" });
    assert_eq!(stage.control("PATCH", "switches", &strict, &in_one).0, 200);
    let (_, switches) = stage.control("GET", "switches", &Value::Null, &[]);
    assert!(switches["refresh_replay"]["grace"].is_object());

    let disabled = json!({ "login": ADA, "enabled": false });
    assert_eq!(stage.control("POST", "users", &disabled, &in_one).0, 200);
    assert_eq!(
        refusal(&one.refresh(&mut stage, &of_one.refresh)).2,
        "OAU-141"
    );
    pair(&main.refresh(&mut stage, &of_main.refresh));

    let (_, events) = stage.control("GET", "events?code=OAU-141", &Value::Null, &in_one);
    assert_eq!(events["events"][0]["client_id"], one.id);
    let (_, events) = stage.control("GET", "events", &Value::Null, &[]);
    let events = events["events"].as_array().expect("events");
    assert!(!events.is_empty() && events.iter().all(|event| event["client_id"] != one.id));
}

#[test]
fn credentials_come_over_the_control_api_and_work() {
    let mut stage = Stage::new();
    let (status, made) = stage.control("POST", "namespaces", &json!({ "name": "test-1" }), &[]);
    assert_eq!((status, &made["namespace"]), (200, &json!("test-1")));
    let (_, shown) = stage.control(
        "GET",
        "credentials",
        &Value::Null,
        &[("x-sim-namespace", "test-1")],
    );
    assert_eq!(shown, made);
    let (_, of_main) = stage.control("GET", "credentials", &Value::Null, &[]);
    assert_eq!(of_main["namespace"], "");
    assert_eq!(of_main["users"], made["users"]);
    assert_eq!(made["users"][0]["password"], "Engine-1843");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let app = &made["apps"][0];
    assert_eq!(app["redirect_uris"], json!([REDIRECT_URI]));
    for (at, name) in [(0, "client_id"), (0, "client_secret"), (1, "client_id")] {
        assert_ne!(of_main["apps"][at][name], made["apps"][at][name]);
        assert_eq!(
            text(&of_main["apps"][at][name]).len(),
            text(&made["apps"][at][name]).len()
        );
    }
    assert_eq!(made["apps"][1]["client_secret"], Value::Null);
    let id = text(&app["client_id"]);
    let client = Client {
        basic: basic(&id, &text(&app["client_secret"])),
        id,
    };
    client.sign_in(&mut stage);
    assert_eq!(stage.live_sessions(), 0);

    let again = Stage::new().control("POST", "namespaces", &json!({ "name": "test-1" }), &[]);
    assert_eq!(again, (200, made), "they follow from seed and name");
}

#[test]
fn names_are_short_and_plain_and_taken_once() {
    let mut stage = Stage::new();
    let longest = "a".repeat(40);
    let too_long = "a".repeat(41);
    for (name, status) in [
        (longest.as_str(), 200),
        ("a-1", 200),
        ("a-1", 409),
        ("", 400),
        (&too_long, 400),
        ("Upper", 400),
        ("a b", 400),
        ("a.b", 400),
        ("a/b", 400),
        ("ä", 400),
    ] {
        let answer = stage.control("POST", "namespaces", &json!({ "name": name }), &[]);
        assert_eq!(answer.0, status, "{name:?}");
    }
    let (_, listed) = stage.control("GET", "namespaces", &Value::Null, &[]);
    assert_eq!(listed, json!({ "namespaces": ["a-1", longest] }));
    assert!(matches!(
        stage.platform.add_namespace("a-1"),
        Err(NamespaceError::Taken(name)) if name == "a-1"
    ));
}

#[test]
fn a_removed_namespace_is_gone_with_everything_in_it() {
    let (mut stage, [_, one, _]) = three();
    let of_one = one.sign_in(&mut stage);
    for removed in [true, false] {
        let answer = stage.control("DELETE", "namespaces/one", &Value::Null, &[]);
        assert_eq!(answer, (200, json!({ "removed": removed })));
    }
    assert_eq!(stage.call(&of_one.access).status(), 401);
    assert_eq!(
        refusal(&one.refresh(&mut stage, &of_one.refresh)).2,
        "OAU-153"
    );
    stage.platform.add_namespace("one").expect("free again");
    assert_eq!(
        refusal(&one.refresh(&mut stage, &of_one.refresh)).2,
        "OAU-213"
    );
}

#[test]
fn a_reset_leaves_the_others_alone() {
    let (mut stage, [main, one, _]) = three();
    let (of_main, of_one) = (main.sign_in(&mut stage), one.sign_in(&mut stage));
    stage.control("POST", "reset", &Value::Null, &[("x-sim-namespace", "two")]);
    stage.control("POST", "reset", &Value::Null, &[]);
    assert_eq!(sessions_of(&stage), [0, 1, 0]);
    assert_eq!(stage.call(&of_main.access).status(), 401);
    assert_eq!(stage.call(&of_one.access).status(), 200);
    stage.control("POST", "reset", &Value::Null, &[("x-sim-namespace", "one")]);
    assert_eq!(sessions_of(&stage), [0, 0, 0]);
    one.sign_in(&mut stage);
}

#[test]
fn personal_jwts_are_of_one_namespace() {
    let (mut stage, [main, one, _]) = three();
    let of_main = stage.platform.personal_jwt(ADA).expect("a user");
    let namespace = stage.platform.namespace("one").expect("a namespace");
    let of_one = namespace.personal_jwt(ADA).expect("a user");
    assert_ne!(of_main, of_one);
    pair(&main.exchange_jwt(&mut stage, &of_main));
    pair(&one.exchange_jwt(&mut stage, &of_one));
    assert_eq!(
        refusal(&main.exchange_jwt(&mut stage, &of_one)).2,
        "OAU-213"
    );
    assert_eq!(
        refusal(&one.exchange_jwt(&mut stage, &of_main)).2,
        "OAU-213"
    );
    let namespace = stage.platform.namespace_mut("one").expect("a namespace");
    assert!(!namespace.revoke_personal_jwt(&of_main));
    assert!(namespace.revoke_personal_jwt(&of_one));
    assert_eq!(refusal(&one.exchange_jwt(&mut stage, &of_one)).2, "OAU-211");
    pair(&main.exchange_jwt(&mut stage, &of_main));
}

#[test]
fn a_namespace_starts_with_the_switches_of_the_moment() {
    let mut stage = Stage::new();
    stage.platform.advance(secs(5));
    stage
        .platform
        .patch_switches(json!({ "code_life_seconds": 7 }))
        .expect("a switch");
    let namespace = stage.platform.add_namespace("one").expect("a namespace");
    assert_eq!(namespace.switches().code_life, secs(7));
    assert_eq!(namespace.clock(stage.now), stage.now, "and its own clock");
}
