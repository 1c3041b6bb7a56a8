//! A stranger starts sign-ins and sends callbacks with codes that the platform never gave.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::time::sleep;

use super::{
    browser::Browser,
    figures::{Figures, seconds},
    together,
};
use crate::{
    Fallible,
    processes::{NO_REDIRECT_URI, Programs, Simulator, Web},
};

const CALLBACKS: usize = 3_000;
/// How many of the sign-ins that the stranger starts are in the air at once.
const STARTS_AT_ONCE: usize = 64;
/// Calls of the user during the flood, each with an ended access token: as many refreshes as answers 401
/// may force in a minute.
const CALLS: usize = 3;
/// Junk callbacks where the platform's limits are on.
const JUNK: usize = 8;
const USER: &str = "198.51.100.1";
const OTHER: &str = "198.51.100.2";
const STRANGER: &str = "203.0.113.5";

/// Floods first, then the platform's own limits.
pub(super) async fn play(programs: &Programs, figures: &mut Figures) -> Fallible<()> {
    for spread in [Spread::AddressEach, Spread::OneAddress] {
        flood(programs, spread, figures).await?;
    }
    for auth_per in ["app", "user"] {
        limited(programs, auth_per, figures).await?;
    }
    Ok(())
}

/// Where the stranger's requests come from.
#[derive(Clone, Copy)]
enum Spread {
    AddressEach,
    OneAddress,
}

impl Spread {
    fn address(self, number: usize) -> String {
        match self {
            // 10.0.0.0/8 has room for all of them.
            Self::AddressEach => format!("10.0.{}.{}", number / 250, number % 250 + 1),
            Self::OneAddress => STRANGER.to_owned(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::AddressEach => "flood, an address each",
            Self::OneAddress => "flood, one address",
        }
    }
}

/// A platform, an application, and a user who is signed in.
struct Scene {
    simulator: Simulator,
    web: Web,
    user: Browser,
    _folder: TempDir,
}

impl Scene {
    async fn set(programs: &Programs, arguments: &[&str]) -> Fallible<Self> {
        let folder = TempDir::new().map_err(|error| format!("no temporary folder: {error}"))?;
        let simulator = Simulator::start(programs, NO_REDIRECT_URI, arguments).await?;
        let web = Web::start(programs, &simulator, folder.path(), "web").await?;
        let mut user = Browser::new(web.address).forwarded_for(USER.to_owned());
        user.sign_in(&simulator, simulator.user(0)?).await?;
        Ok(Self {
            simulator,
            web,
            user,
            _folder: folder,
        })
    }
}

async fn flood(programs: &Programs, spread: Spread, figures: &mut Figures) -> Fallible<()> {
    let Scene {
        simulator,
        web,
        user,
        _folder,
    } = Scene::set(programs, &["--limits", "off"]).await?;
    let memory_before = web.peak_memory()?;
    let starts = (0..CALLBACKS).map(|number| {
        let mut stranger = Browser::new(web.address).forwarded_for(spread.address(number));
        async move { Ok((stranger.junk_callback().await?, stranger)) }
    });
    let started = together(STARTS_AT_ONCE, starts).await?;

    let callbacks = started
        .into_iter()
        .map(|(callback, mut stranger)| async move {
            // A callback that gets no answer is the stranger's trouble, and counted as status 0.
            Ok(stranger
                .get(&callback)
                .await
                .map_or(0, |answer| answer.status))
        });
    let flood_began = Instant::now();
    let flooding = tokio::spawn(together(CALLBACKS, callbacks.collect::<Vec<_>>()));
    let calls = calls_of_the_user(&simulator, user, &flooding).await?;
    let statuses = flooding.await.map_err(|error| error.to_string())??;
    let flood_took = flood_began.elapsed();

    let name = spread.name();
    let grown = web.peak_memory()?.saturating_sub(memory_before);
    let slowest = calls
        .iter()
        .map(|(_, took)| *took)
        .max()
        .unwrap_or_default();
    let failed = calls.iter().filter(|(status, _)| *status != 200).count();
    figures.note(&format!("{name}: took"), seconds(flood_took));
    figures.note(&format!("{name}: answers"), tally(&statuses));
    figures.note(&format!("{name}: calls of the user meanwhile"), calls.len());
    figures.at_most(
        &format!("{name}: slowest call of the user"),
        slowest,
        Duration::from_secs(2),
        seconds,
    );
    figures.exactly(&format!("{name}: calls that failed"), failed, 0);
    figures.at_most(
        &format!("{name}: memory grew by"),
        grown,
        40 * 1024,
        |kib| format!("{:.1} MiB", kib as f64 / 1024.0),
    );
    let unsaved = web.logged("could not be saved")?;
    figures.exactly(
        &format!("{name}: log lines \"could not be saved\""),
        unsaved,
        0,
    );
    Ok(())
}

/// Calls with an ended access token for as long as the flood lasts, the first one in any case.
async fn calls_of_the_user<T>(
    simulator: &Simulator,
    mut user: Browser,
    flooding: &tokio::task::JoinHandle<T>,
) -> Fallible<Vec<(u16, Duration)>> {
    let mut calls = Vec::new();
    while calls.is_empty() || (calls.len() < CALLS && !flooding.is_finished()) {
        simulator.expire_access_tokens().await?;
        let asked = Instant::now();
        let answer = user.get("/me").await?;
        calls.push((answer.status, asked.elapsed()));
    }
    Ok(calls)
}

/// The platform allows five token requests a minute; a stranger uses up what is allowed to one address.
async fn limited(programs: &Programs, auth_per: &str, figures: &mut Figures) -> Fallible<()> {
    let arguments = ["--limits", "on", "--auth-per", auth_per];
    let mut scene = Scene::set(programs, &arguments).await?;
    let (simulator, web) = (&scene.simulator, &scene.web);
    let mut statuses = Vec::new();
    for _ in 0..JUNK {
        let mut stranger = Browser::new(web.address).forwarded_for(STRANGER.to_owned());
        let callback = stranger.junk_callback().await?;
        statuses.push(stranger.get(&callback).await?.status);
    }
    simulator.expire_access_tokens().await?;
    let asked = Instant::now();
    let answer = scene.user.get("/me").await?;
    let refreshed = answer.status == 200;
    let took = asked.elapsed();
    let other = second_person(simulator, web).await?;

    let name = format!("limits per {auth_per}");
    figures.note(
        &format!("{name}: answers to the stranger"),
        tally(&statuses),
    );
    figures.exactly(
        &format!("{name}: refreshes refused"),
        usize::from(!refreshed),
        0,
    );
    figures.note(&format!("{name}: the refreshing call took"), seconds(took));
    figures.note(
        &format!("{name}: another's sign-in waited"),
        seconds(other.waited),
    );
    figures.exactly(
        &format!("{name}: sign-ins refused after Retry-After"),
        usize::from(other.status != 303),
        0,
    );
    Ok(())
}

/// How another person's sign-in ended.
struct SignIn {
    status: u16,
    waited: Duration,
}

/// Signs in; where that has to wait, once more after `Retry-After`.
async fn second_person(simulator: &Simulator, web: &Web) -> Fallible<SignIn> {
    let person = simulator.user(1)?;
    let mut browser = Browser::new(web.address).forwarded_for(OTHER.to_owned());
    let callback = browser.callback(simulator, person).await?;
    let answer = browser.get(&callback).await?;
    if answer.status == 303 {
        return Ok(SignIn {
            status: 303,
            waited: Duration::ZERO,
        });
    }
    let waited = answer.retry_after();
    sleep(waited).await;
    let callback = browser.callback(simulator, person).await?;
    let status = browser.get(&callback).await?.status;
    Ok(SignIn { status, waited })
}

/// How often each status came, as `400: 3, 429: 5`.
fn tally(statuses: &[u16]) -> String {
    let mut counts = BTreeMap::new();
    for status in statuses {
        *counts.entry(status).or_insert(0) += 1;
    }
    let counts = counts.iter().map(|(status, n)| format!("{status}: {n}"));
    counts.collect::<Vec<_>>().join(", ")
}
