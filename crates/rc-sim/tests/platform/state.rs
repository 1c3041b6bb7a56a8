//! State that stays: snapshots, and the file that a server keeps.

use std::{fs, io::Write, path::Path};

use bytes::Bytes;
use http::{Method, Request};
use rc_sim::{
    Config, EventFilter, Platform, Server, ServerError, Snapshot, StateError, state_seed,
};
use serde_json::{Value, json};

use crate::stage::*;

fn snapshot(stage: &Stage) -> Snapshot {
    let text = serde_json::to_vec(&stage.platform.snapshot(stage.now)).expect("JSON");
    serde_json::from_slice(&text).expect("a snapshot")
}

/// The same configuration in a new process.
fn restarted(stage: &Stage) -> Stage {
    let mut after = Stage::new();
    after.now = stage.now;
    after.platform.restore(snapshot(stage)).expect("it fits");
    after
}

#[test]
fn sessions_codes_and_consents_outlive_a_restart() {
    let mut before = Stage::new();
    let first = before.sign_in();
    let second = pair(&before.refresh(&first.refresh));
    let ended = before.sign_in();
    before.platform.end_session(&ended.access);
    let code = before.code();

    let mut after = restarted(&before);
    assert_eq!(after.call(&second.access).status(), 200);
    assert_eq!(pair(&after.refresh(&first.refresh)), second, "the grace");
    assert_eq!(refusal(&after.refresh(&ended.refresh)).2, "OAU-211");
    pair(&after.exchange(&code));
    assert_eq!(refusal(&after.exchange(&code)).2, "OAU-106", "single use");
    let url = after.authorize_url(&[("prompt", "consent")]);
    assert!(after.platform.sign_in(&url, ADA, after.now).is_ok());
    assert_ne!(after.sign_in(), second, "no token is issued twice");
}

#[test]
fn everything_else_that_stays_outlives_a_restart() {
    let mut before = Stage::new();
    before.platform.advance(secs(100));
    before.platform.skew_clock(-5_000);
    before.platform.enable_user(ADA, false);
    before.platform.rotate_signing_key();
    before
        .platform
        .patch_switches(json!({ "refresh_replay": "strict" }))
        .expect("a switch");
    let jwt = before
        .platform
        .create_personal_jwt("grace@acme.example", None, None)
        .expect("a user");
    before.platform.revoke_personal_jwt(&jwt);
    before.platform.add_namespace("one").expect("a name");

    let mut after = restarted(&before);
    let again = serde_json::to_value(after.platform.snapshot(after.now)).expect("JSON");
    let once = serde_json::to_value(before.platform.snapshot(before.now)).expect("JSON");
    assert_eq!(again, once);
    assert_eq!(after.platform.clock(after.now), before.now.plus(secs(100)));
    assert!(after.platform.namespace("one").is_some());
    let url = after.authorize_url(&[]);
    let refused = after.platform.sign_in(&url, ADA, after.now);
    assert!(
        refused
            .expect_err("disabled")
            .to_string()
            .contains("OAU-141")
    );
    let jwks = |stage: &mut Stage| stage.get("/restapi/oauth/jwks", &[]).into_body();
    assert_eq!(jwks(&mut after), jwks(&mut before));
}

#[test]
fn what_has_expired_is_not_kept() {
    let mut stage = Stage::new();
    stage.sign_in();
    stage.pass(secs(604_801));
    let text = serde_json::to_string(&stage.platform.snapshot(stage.now)).expect("JSON");
    assert!(!text.contains("endpoint_id"), "{text}");
}

#[test]
fn a_snapshot_of_another_seed_is_refused_and_changes_nothing() {
    let mut mine = Stage::new();
    let access = mine.sign_in().access;
    let theirs = Stage::of(Config::demo(8, REDIRECT_URI));
    let refused = mine.platform.restore(snapshot(&theirs));
    let refused = refused.expect_err("another seed").to_string();
    assert!(
        refused.contains("seed 8") && refused.contains('7'),
        "{refused}"
    );
    assert_eq!(mine.call(&access).status(), 200);
}

/// The largest number in place of every one that counts.
fn with_the_largest_numbers(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match name.as_str() {
                    "number" | "times" => *member = json!(u64::MAX),
                    "generation" | "rotations" | "serial" => *member = json!(u32::MAX),
                    _ => with_the_largest_numbers(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(with_the_largest_numbers),
        _ => {}
    }
}

#[test]
fn a_snapshot_with_the_largest_numbers_lets_the_platform_go_on() {
    let mut before = Stage::new();
    before.platform.end_user_sessions(GRACE);
    before.platform.create_personal_jwt(ADA, None, None);
    before.sign_in();
    let mut largest = json!(snapshot(&before));
    with_the_largest_numbers(&mut largest);
    let mut after = Stage::new();
    let largest = serde_json::from_value(largest).expect("a snapshot");
    after.platform.restore(largest).expect("it fits");

    let first = after.sign_in();
    let second = pair(&after.refresh(&first.refresh));
    assert_eq!(after.call(&second.access).status(), 200);
    after.platform.end_user_sessions(GRACE);
    after.platform.rotate_signing_key();
    assert!(
        after
            .platform
            .create_personal_jwt(ADA, None, None)
            .is_some()
    );
}

#[test]
fn reset_forgets_everything_but_the_namespaces() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    stage.platform.advance(secs(5));
    stage.platform.add_namespace("one").expect("a name");
    stage.platform.reset();
    assert_eq!(refusal(&stage.call(&access)).2, "OAU-213");
    assert_eq!(stage.platform.clock(stage.now), stage.now);
    assert_eq!(stage.platform.events(&EventFilter::default()).count(), 1);
    assert!(stage.platform.namespace("one").is_some());
}

#[test]
fn a_snapshot_goes_out_and_comes_back_over_the_control_api() {
    let mut stage = Stage::new();
    let access = stage.sign_in().access;
    let control = |stage: &mut Stage, method: Method, body: String| {
        let request = Request::builder().method(method).uri("/sim/snapshot");
        let request = request.body(Bytes::from(body)).expect("a request");
        stage.platform.control(&request, stage.now)
    };
    let taken = control(&mut stage, Method::GET, String::new());
    assert_eq!(taken.status(), 200);
    stage.platform.reset();
    let text = String::from_utf8(taken.into_body().to_vec()).expect("text");
    assert_eq!(control(&mut stage, Method::PUT, text.clone()).status(), 200);
    assert_eq!(stage.call(&access).status(), 200);

    let unknown = text.replacen("\"version\"", "\"vresion\":1,\"version\"", 1);
    let refused = control(&mut stage, Method::PUT, unknown);
    assert_eq!(refused.status(), 400);
    assert!(
        json(&refused)["error"]
            .as_str()
            .expect("text")
            .contains("vresion")
    );
}

struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("rc-sim-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn state(&self) -> std::path::PathBuf {
        self.0.join("sim.state")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

async fn serve(state: &Path) -> Result<Server, ServerError> {
    Server::bind_keeping(([127, 0, 0, 1], 0).into(), demo(), state).await
}

/// One request over a connection, and the body of its answer.
async fn send(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> Value {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(server.address())
        .await
        .expect("listening");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(body.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).unwrap_or(Value::Null)
}

/// A pair by a personal JWT.
async fn sign_in(server: &Server) -> Value {
    let (headers, jwt) = {
        let platform = server.platform();
        let app = platform.config().confidential_app().expect("the demo's");
        let secret = app.client_secret().expect("it has one");
        let basic = basic(app.client_id(), secret);
        let jwt = platform.personal_jwt(ADA).expect("a user");
        (
            format!(
                "authorization: {basic}\r\ncontent-type: application/x-www-form-urlencoded\r\n"
            ),
            jwt,
        )
    };
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let body = form(&[("grant_type", grant), ("assertion", &jwt)]);
    send(server, "POST", "/restapi/oauth/token", &headers, &body).await
}

async fn extension(server: &Server, pair: &Value) -> Value {
    let token = pair["access_token"].as_str().expect("a token");
    let headers = format!("authorization: Bearer {token}\r\n");
    send(server, "GET", EXTENSION, &headers, "").await
}

#[tokio::test]
async fn a_pair_that_was_answered_is_in_the_file() {
    let folder = Folder::new("answered");
    let server = serve(&folder.state()).await.expect("serves");
    let pair = sign_in(&server).await;
    // Nothing is written at the end: this is what a killed process leaves.
    let copy = folder.0.join("copy.state");
    fs::copy(folder.state(), &copy).expect("copied");
    server.shutdown().await;

    let server = serve(&copy).await.expect("serves");
    assert_eq!(extension(&server, &pair).await["id"], 12_133_895_101_u64);
}

#[tokio::test]
async fn a_line_that_was_cut_off_is_as_if_it_had_not_been_written() {
    let folder = Folder::new("cut");
    let server = serve(&folder.state()).await.expect("serves");
    let pair = sign_in(&server).await;
    server.shutdown().await;
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(folder.state())
        .expect("opened");
    file.write_all(br#"[{"records":[{"session":{"num"#)
        .expect("written");
    drop(file);

    let server = serve(&folder.state()).await.expect("serves");
    assert_eq!(extension(&server, &pair).await["id"], 12_133_895_101_u64);
}

#[tokio::test]
async fn changes_of_namespaces_and_resets_are_kept() {
    let folder = Folder::new("namespaces");
    let server = serve(&folder.state()).await.expect("serves");
    let pair = sign_in(&server).await;
    let name = json!({ "name": "one" }).to_string();
    send(&server, "POST", "/sim/namespaces", "", &name).await;
    send(&server, "POST", "/sim/reset", "", "").await;
    let later = sign_in(&server).await;
    server.shutdown().await;

    let server = serve(&folder.state()).await.expect("serves");
    let names = send(&server, "GET", "/sim/namespaces", "", "").await;
    assert_eq!(names["namespaces"], json!(["one"]));
    assert_eq!(extension(&server, &pair).await["errorCode"], "TokenInvalid");
    assert_eq!(extension(&server, &later).await["id"], 12_133_895_101_u64);
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_only_and_one_servers_at_a_time() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("owner");
    fs::write(folder.state(), "").expect("written");
    let server = serve(&folder.state()).await.expect("serves");
    let mode = fs::metadata(folder.state()).expect("there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let second = serve(&folder.state()).await;
    assert!(matches!(
        second,
        Err(ServerError::State(StateError::InUse { .. }))
    ));
    server.shutdown().await;
}

#[tokio::test]
async fn a_file_of_another_seed_or_of_rubbish_is_refused_by_name_and_left_alone() {
    let folder = Folder::new("misfit");
    let first = serve(&folder.state()).await.expect("serves");
    first.shutdown().await;
    assert_eq!(state_seed(&folder.state()).expect("readable"), Some(7));
    let other = Config::demo(8, REDIRECT_URI);
    let refused = Server::bind_keeping(([127, 0, 0, 1], 0).into(), other, &folder.state()).await;
    let refused = refused.expect_err("another seed").to_string();
    assert!(
        refused.contains("sim.state") && refused.contains("seed 7"),
        "{refused}"
    );

    for rubbish in [
        "rubbish\n",
        "my notes, in one line",
        "\0\0\0",
        "{\"version\":1,\"se",
        "{\"version\":2,\"seed\":7,\"parts\":[]}\n",
    ] {
        fs::write(folder.state(), rubbish).expect("written");
        let refused = serve(&folder.state())
            .await
            .expect_err("no state")
            .to_string();
        assert!(refused.contains("sim.state"), "{refused}");
        assert_eq!(fs::read_to_string(folder.state()).expect("there"), rubbish);
    }
    assert_eq!(state_seed(&folder.0.join("none")).expect("none"), None);
}

#[tokio::test]
async fn a_request_for_events_waits_until_there_is_one() {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), demo())
        .await
        .expect("serves");
    let path = "/sim/events?kind=token&wait_seconds=30";
    let (events, _) = tokio::join!(send(&server, "GET", path, "", ""), sign_in(&server));
    assert_eq!(events["events"][0]["login"], ADA);
    let none = send(
        &server,
        "GET",
        "/sim/events?kind=revoke&wait_seconds=0",
        "",
        "",
    )
    .await;
    assert_eq!(none["events"], json!([]));
}

#[test]
fn the_same_inputs_give_the_same_snapshot() {
    let text = || {
        let mut stage = Stage::new();
        for _ in 0..4 {
            stage.sign_in();
        }
        let platform: &Platform = &stage.platform;
        serde_json::to_string(&platform.snapshot(stage.now)).expect("JSON")
    };
    assert_eq!(text(), text());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_leads_to_the_file_and_neighbours_are_left_alone() {
    let folder = Folder::new("link");
    let link = folder.0.join("link.state");
    std::os::unix::fs::symlink(folder.state(), &link).expect("a link");
    for neighbour in ["sim.new", "link.new", "sim.state.new"] {
        fs::write(folder.0.join(neighbour), "precious").expect("written");
    }
    let server = serve(&link).await.expect("serves");
    let pair = sign_in(&server).await;
    server.shutdown().await;
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    let server = serve(&folder.state()).await.expect("serves");
    assert_eq!(extension(&server, &pair).await["id"], 12_133_895_101_u64);
    server.shutdown().await;
    for neighbour in ["sim.new", "link.new", "sim.state.new"] {
        let text = fs::read_to_string(folder.0.join(neighbour)).expect("there");
        assert_eq!(text, "precious");
    }
    assert_eq!(fs::read_dir(&folder.0).expect("a folder").count(), 5);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_regular_file_is_refused_and_left_alone() {
    let folder = Folder::new("irregular");
    let refused = serve(&folder.0).await.expect_err("a folder").to_string();
    assert!(refused.contains("not a regular file"), "{refused}");
    let socket = folder.0.join("socket");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let refused = serve(&socket).await.expect_err("a socket").to_string();
    assert!(refused.contains("not a regular file"), "{refused}");
}

#[test]
fn sessions_of_an_app_that_is_not_configured_wait_for_it() {
    let mut before = Stage::new();
    let mine = before.sign_in();
    let mut other = demo();
    other.apps.remove(0);
    let mut without = Platform::new(other);
    without.restore(snapshot(&before)).expect("it fits");
    let kept = serde_json::to_vec(&without.snapshot(before.now)).expect("JSON");

    let mut again = Stage::new();
    let kept = serde_json::from_slice(&kept).expect("a snapshot");
    again.platform.restore(kept).expect("it fits");
    assert_eq!(again.call(&mine.access).status(), 200);
}
