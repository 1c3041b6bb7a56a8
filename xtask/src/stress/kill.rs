//! One of three processes dies with refreshes in flight.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::time::sleep;

use super::{
    browser::Browser,
    figures::{Figures, count, seconds},
    together,
};
use crate::{
    Fallible,
    processes::{NO_REDIRECT_URI, Programs, Simulator, Web},
};

const USERS: usize = 200;
/// How long after the calls the process dies: the token endpoint takes 300 ms.
const BEFORE_THE_KILL: Duration = Duration::from_millis(150);
const TOKEN_DELAY_MS: u64 = 300;
/// When a client gives up, so that the slowest has a figure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Once every user calls at once, once nobody does.
pub(super) async fn play(programs: &Programs, figures: &mut Figures) -> Fallible<()> {
    everybody_calls(Scene::set(programs, figures).await?, figures).await?;
    nobody_calls(Scene::set(programs, figures).await?, figures).await
}

/// After the kill.
struct Scene {
    browsers: Vec<Browser>,
    simulator: Simulator,
    survivors: [Web; 2],
    /// Refreshes that the platform had received when the process died, and answered to nobody.
    in_flight: u64,
    _folder: TempDir,
}

impl Scene {
    async fn set(programs: &Programs, figures: &Figures) -> Fallible<Self> {
        let folder = TempDir::new().map_err(|error| format!("no temporary folder: {error}"))?;
        let sessions = USERS.to_string();
        let arguments = ["--limits", "off", "--sessions", &sessions];
        let simulator = Simulator::start(programs, NO_REDIRECT_URI, &arguments).await?;
        let doomed = Web::start(programs, &simulator, folder.path(), "a").await?;
        let b = Web::start(programs, &simulator, folder.path(), "b").await?;
        let c = Web::start(programs, &simulator, folder.path(), "c").await?;
        let browsers = signed_in(&simulator, doomed.address, USERS).await?;
        simulator.delay_tokens(TOKEN_DELAY_MS).await?;
        simulator.expire_access_tokens().await?;
        let calls: Vec<_> = browsers
            .iter()
            .cloned()
            .map(|mut browser| tokio::spawn(async move { browser.get("/me").await }))
            .collect();
        sleep(BEFORE_THE_KILL).await;
        doomed.kill().await?;
        let in_flight = simulator.refreshes().await?;
        for call in calls {
            // Most find their connection closed, which is the point.
            drop(call.await.map_err(|error| error.to_string())?);
        }
        figures.note("kill: refreshes in flight when the process died", in_flight);
        Ok(Self {
            browsers,
            simulator,
            survivors: [b, c],
            in_flight,
            _folder: folder,
        })
    }

    /// The browsers, half of them at each survivor.
    fn moved(&self) -> Vec<Browser> {
        let addresses = self.survivors.iter().map(|web| web.address).cycle();
        let browsers = self.browsers.iter().cloned().zip(addresses);
        browsers
            .map(|(browser, address)| browser.at(address))
            .collect()
    }
}

/// So many browsers of one user, each with a session of its own.
pub(super) async fn signed_in(
    simulator: &Simulator,
    address: SocketAddr,
    browsers: usize,
) -> Fallible<Vec<Browser>> {
    let mut signed_in = Vec::with_capacity(browsers);
    for _ in 0..browsers {
        let mut browser = Browser::new(address);
        browser.sign_in(simulator, simulator.user(0)?).await?;
        signed_in.push(browser);
    }
    Ok(signed_in)
}

async fn everybody_calls(scene: Scene, figures: &mut Figures) -> Fallible<()> {
    let calls = scene.moved().into_iter().map(call_until_answered);
    let calls = together(USERS, calls).await?;
    let slowest = calls.iter().map(|call| call.took).max();
    let busy: u64 = calls.iter().map(|call| call.busy).sum();
    let refreshes = scene.simulator.refreshes().await?;
    figures.at_most(
        "kill, all call: slowest user",
        slowest.unwrap_or_default(),
        Duration::from_secs(15),
        seconds,
    );
    figures.exactly("kill, all call: users not served", failed(&calls), 0);
    figures.note("kill, all call: answers 503", busy);
    figures.note("kill, all call: last answers", outcomes(&calls));
    figures.note("kill, all call: refreshes at the platform", refreshes);
    Ok(())
}

async fn nobody_calls(scene: Scene, figures: &mut Figures) -> Fallible<()> {
    sleep(Duration::from_secs(30)).await;
    let before = scene.simulator.refreshes().await?;
    let calls = scene.moved().into_iter().map(call_until_answered);
    let calls = together(USERS, calls).await?;
    let after = scene.simulator.refreshes().await?;
    let busy: u64 = calls.iter().map(|call| call.busy).sum();
    let slowest = calls.iter().map(|call| call.took).max();
    figures.exactly("kill, nobody calls: users not served", failed(&calls), 0);
    figures.note("kill, nobody calls: last answers", outcomes(&calls));
    // A user whose refresh had not begun when the process died has none to finish.
    let not_begun = (USERS as u64).saturating_sub(scene.in_flight);
    figures.at_most(
        "kill, nobody calls: refreshes of the calls 30 s later",
        after.saturating_sub(before),
        not_begun,
        count,
    );
    figures.at_most("kill, nobody calls: answers 503 then", busy, 0, count);
    figures.note(
        "kill, nobody calls: slowest call then",
        seconds(slowest.unwrap_or_default()),
    );
    figures.note("kill, nobody calls: refreshes at the platform", after);
    Ok(())
}

/// What became of one user's calls.
struct Call {
    status: u16,
    took: Duration,
    busy: u64,
}

/// `GET /me`, again after each 503 when its `Retry-After` is over.
async fn call_until_answered(mut browser: Browser) -> Fallible<Call> {
    let started = Instant::now();
    let mut busy = 0;
    loop {
        let answer = browser.get("/me").await?;
        if answer.status != 503 || started.elapsed() > PATIENCE {
            return Ok(Call {
                status: answer.status,
                took: started.elapsed(),
                busy,
            });
        }
        busy += 1;
        sleep(answer.retry_after()).await;
    }
}

fn failed(calls: &[Call]) -> usize {
    calls.iter().filter(|call| call.status != 200).count()
}

/// How often each status was the last, as `200: 199, 401: 1`.
fn outcomes(calls: &[Call]) -> String {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.status).or_insert(0) += 1;
    }
    let counts = counts.iter().map(|(status, n)| format!("{status}: {n}"));
    counts.collect::<Vec<_>>().join(", ")
}
