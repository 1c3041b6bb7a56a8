//! No access token, refresh token, code, verifier, client secret or key in clear: not in the database,
//! not in the log at `trace`, not in any page, header or error.

use std::{collections::BTreeSet, path::Path};

use rc_sim::{Fault, Replacement, Target};

use crate::stage::{
    Answer, Browser, Process, Tap, exchange, platform_with, program, variables_for,
};

/// What people and crawlers see of the application.
#[derive(Default)]
struct Seen(Vec<String>);

impl Seen {
    fn keep(&mut self, answer: Answer) -> Answer {
        // Where the platform's own code comes back to is the one place it has to stand, and that is in the
        // request. Answers lead to the platform with a challenge, never with a verifier.
        self.0
            .push(format!("{:?}\n{}", answer.headers, answer.body));
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stand_nowhere_in_clear() {
    let sim = platform_with(|_| {}).await;
    let (tap, address) = Tap::before(sim.address()).await;
    let folder = tempfile::tempdir().unwrap();
    let mut variables = variables_for(&sim, folder.path());
    variables.insert("RC_SERVER_URL", format!("http://{address}"));
    variables.insert("RUST_LOG", "trace".into());
    variables.insert("RC_METRICS_BIND", "127.0.0.1:0".into());
    let process = Process::start(&mut program(&variables)).await;
    let mut seen = Seen(vec![process.greeting.clone()]);
    let mut browser = Browser::new(process.address);

    let callback = sign_in(&mut browser, &sim, &mut seen).await;
    for target in ["/", "/call", "/me", "/logout", "/readyz", callback.as_str()] {
        seen.keep(browser.get(target).await);
    }
    seen.keep(browser.press("/refresh").await);
    trouble(&mut browser, &sim, &mut seen).await;
    let database = read_all(folder.path());
    seen.keep(browser.press("/logout").await);
    sign_in(&mut browser, &sim, &mut seen).await;
    let measured = exchange(metrics_of(&process), "GET", "/metrics", &[], "").await;
    assert_eq!(seen.keep(measured).status, 200);
    let (code, log) = process.terminate().await;
    assert_eq!(code, Some(0));
    assert!(log.contains("rc_web::request"), "the log was on");
    seen.0.push(log);

    let mut secrets = tap.secrets();
    assert!(
        secrets.len() >= 10,
        "two sign-ins and refreshes: {}",
        secrets.len()
    );
    secrets.insert(variables["RC_CLIENT_SECRET"].clone());
    let key = variables["RC_ENCRYPTION_KEYS"].split_once(':').unwrap().1;
    secrets.insert(key.trim_end_matches('=').to_owned());
    for (at, text) in seen.0.iter().enumerate() {
        search(
            text.as_bytes(),
            &secrets,
            &format!("text {at}: {}", &text[..text.len().min(300)]),
        );
    }
    for (name, bytes) in database.into_iter().chain(read_all(folder.path())) {
        search(&bytes, &secrets, &name);
    }
}

/// Where the greeting says that measurements are.
fn metrics_of(process: &Process) -> std::net::SocketAddr {
    let url = process
        .greeting
        .lines()
        .find_map(|line| line.strip_prefix("Metrics:  http://"));
    let address = url.and_then(|url| url.strip_suffix("/metrics"));
    address
        .expect("a line about them")
        .parse()
        .expect("an address")
}

async fn sign_in(browser: &mut Browser, sim: &rc_sim::Server, seen: &mut Seen) -> String {
    let login = seen.keep(browser.get("/login").await);
    let callback = crate::stage::allow(sim, login.location());
    assert_eq!(seen.keep(browser.get(&callback).await).status, 303);
    callback
}

/// Errors of all kinds, some of which echo what was sent.
async fn trouble(browser: &mut Browser, sim: &rc_sim::Server, seen: &mut Seen) {
    let faults = [
        Fault::Truncate(200),
        Fault::DropAfter,
        Fault::Replace(Replacement::new(500.try_into().expect("a status"), "oops")),
    ];
    for fault in faults {
        let now = sim.now();
        sim.platform().expire_access_tokens(now);
        sim.platform().queue_fault(Target::Token, fault.clone(), 1);
        seen.keep(browser.get("/me").await);
        sim.platform().queue_fault(Target::Api, fault, 1);
        seen.keep(browser.get("/call").await);
    }
    let mut other = Browser::new(browser.address);
    let login = seen.keep(other.get("/login").await);
    let callback = crate::stage::allow(sim, login.location());
    sim.platform()
        .queue_fault(Target::Token, Fault::Truncate(100), 1);
    seen.keep(other.get(&callback).await);
    seen.keep(other.get(&format!("{callback}&code=two")).await);
}

fn read_all(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect()
}

fn search(bytes: &[u8], secrets: &BTreeSet<String>, place: &str) {
    for secret in secrets {
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(
            !found,
            "a secret of {} characters stands in {place}",
            secret.len()
        );
    }
}
