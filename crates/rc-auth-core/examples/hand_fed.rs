//! The core alone, with hand-fed bytes: a sign-in, and a refresh whose first answer is lost.
//!
//! Nothing is sent. Run it with `cargo run -p rc-auth-core --example hand_fed`.

#![allow(clippy::disallowed_macros, reason = "an example has to show something")]

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::Response;
use rc_auth_core::{
    AuthorizationRequest, ChainId, Entropy, Gate, GrantMachine, GrantRecord, Held, Input, Loaded,
    Now, OAuthApp, Output, RecordVersion, RefreshPolicy, Reply, Secret, Timestamp, TokenPair,
    TokenSet, Want,
};

const FIRST: &[u8] = br#"{"access_token":"example-1","token_type":"bearer","expires_in":3600,
    "refresh_token":"example-r1","scope":"ReadAccounts"}"#;
const SECOND: &[u8] = br#"{"access_token":"example-2","token_type":"bearer","expires_in":3600,
    "refresh_token":"example-r2","scope":"ReadAccounts"}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let app = OAuthApp::new(
        "example-client-id",
        Some(Secret::new("example-client-secret")),
        "https://app.example.com/oauth/callback",
        OAuthApp::DEFAULT_SERVER,
    )?;
    let mut now = Now {
        wall: Timestamp::from_unix_millis(1_767_225_600_000),
        mono: Duration::ZERO,
    };
    let tokens = sign_in(&app, now)?;
    // An hour later the access token has ended.
    now.wall = now.wall.saturating_add(Duration::from_secs(3600));
    now.mono += Duration::from_secs(3600);
    refresh(app, tokens, now)
}

fn sign_in(app: &OAuthApp, now: Now) -> Result<TokenSet, Box<dyn Error>> {
    // Real programs draw the entropy from the operating system, once for each sign-in.
    let (url, pending) = AuthorizationRequest::new(app).start(&Entropy::new([7; 64]), now);
    let (endpoint, query) = url.split_once('?').ok_or("the URL has a query")?;
    println!("send the browser to {endpoint}?…");

    // What the browser brings back. A wrong state gets no further than this.
    if let Err(error) = pending.clone().finish("code=abc&state=someone-elses", now) {
        println!("a foreign callback is refused: {error}");
    }
    let state = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("state="))
        .ok_or("the URL has a state")?;
    let exchange = pending.finish(&format!("code=abc&state={state}"), now)?;
    let request = exchange.request(app)?;
    println!("send {} {}", request.method(), request.uri());
    Ok(exchange.response(&Response::new(Bytes::from_static(FIRST)), now.wall)?)
}

/// The life of a grant: a store of one record, and a platform that is heard the second time only.
fn refresh(app: OAuthApp, tokens: TokenSet, mut now: Now) -> Result<(), Box<dyn Error>> {
    let record = GrantRecord::signed_in(ChainId::new([1; 16]), TokenPair::new(tokens), now.wall);
    let mut stored = Held {
        record,
        version: RecordVersion::new([0; 16]),
    };
    let mut answers = vec![
        Reply::Response(Response::new(Bytes::from_static(SECOND))),
        Reply::MaybeSent,
    ];
    let policy = RefreshPolicy::default();
    let mut machine = GrantMachine::new(app.into(), policy.into(), &Entropy::new([3; 8]));
    machine.handle_input(Input::Want(Want::Usable), now)?;
    for step in 1_u8.. {
        let Some(output) = machine.poll_output() else {
            let Some(at) = machine.next_timeout() else {
                break;
            };
            let pause = at.saturating_sub(now.mono);
            println!("wait for {pause:?}");
            now.mono = at;
            now.wall = now.wall.saturating_add(pause);
            machine.handle_input(Input::Timeout, now)?;
            continue;
        };
        println!("{}", summary(&output));
        let input = match output {
            Output::Load => Input::Loaded(Ok(Loaded {
                held: Some(Box::new(stored.clone())),
                silent_for: Duration::ZERO,
            })),
            Output::Save { record, .. } => {
                stored.record = *record;
                stored.version = RecordVersion::new([step; 16]);
                Input::Saved(Ok(stored.version))
            }
            Output::AskGate { .. } => Input::Gate(Gate::Open(Entropy::new([step; 16]))),
            Output::Send { .. } => Input::Answered(answers.pop().unwrap_or(Reply::NotSent)),
            Output::Revoke { .. } | Output::Report(_) => continue,
        };
        machine.handle_input(input, now)?;
    }
    let (_, id) = machine.view(now).pair.ok_or("a pair")?;
    println!(
        "the calls that waited go on with generation {}",
        id.generation
    );
    Ok(())
}

fn summary(output: &Output) -> String {
    match output {
        Output::Load => "read the record".to_owned(),
        Output::Save { record, .. } if record.pair().is_none() => "write the end".to_owned(),
        Output::Save { record, .. } => format!("write generation {}", record.generation),
        Output::AskGate { .. } => "may a token request be sent?".to_owned(),
        Output::Send { request, .. } => format!("send {} {}", request.method(), request.uri()),
        Output::Revoke { .. } => "revoke".to_owned(),
        Output::Report(report) => format!("report {report:?}"),
    }
}
