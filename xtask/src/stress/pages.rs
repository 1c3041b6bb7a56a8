//! Pages while the token endpoint is slow.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::time::sleep;

use super::{
    browser::Browser,
    figures::{Figures, milliseconds, percentile},
    kill::signed_in,
    together,
};
use crate::{
    Fallible,
    processes::{NO_REDIRECT_URI, Programs, Simulator, Web},
};

const BROWSERS: usize = 200;
const AT_ONCE: usize = 8;
/// Browsers that have called the API too, whose refreshes are in the air while their pages are shown.
const CALLING: usize = 20;
const TOKEN_DELAY_MS: u64 = 5_000;
/// Ends by itself, so that the application knows it too.
const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(30);

/// Dashboards of browsers whose access tokens have ended.
pub(super) async fn play(programs: &Programs, figures: &mut Figures) -> Fallible<()> {
    let folder = TempDir::new().map_err(|error| format!("no temporary folder: {error}"))?;
    let (sessions, life) = (
        BROWSERS.to_string(),
        ACCESS_TOKEN_LIFE.as_secs().to_string(),
    );
    let arguments = [
        "--limits",
        "off",
        "--sessions",
        &sessions,
        "--access-token-ttl",
        &life,
    ];
    let simulator = Simulator::start(programs, NO_REDIRECT_URI, &arguments).await?;
    let web = Web::start(programs, &simulator, folder.path(), "web").await?;
    let browsers = signed_in(&simulator, web.address, BROWSERS).await?;
    simulator.delay_tokens(TOKEN_DELAY_MS).await?;
    sleep(ACCESS_TOKEN_LIFE).await;

    let calling: Vec<_> = browsers[..CALLING]
        .iter()
        .cloned()
        .map(|mut browser| tokio::spawn(async move { browser.get("/me").await }))
        .collect();
    sleep(Duration::from_millis(500)).await;
    let in_the_air = simulator.refreshes().await?;
    let times = together(AT_ONCE, browsers.into_iter().map(dashboard)).await?;
    for call in calling {
        let answer = call.await.map_err(|error| error.to_string())??;
        if answer.status != 200 {
            return Err(format!("GET /me was answered {}", answer.status));
        }
    }

    figures.note("pages: refreshes in the air meanwhile", in_the_air);
    figures.at_most(
        "pages: GET / of 200 browsers, 8 at a time, p99",
        percentile(&times, 99),
        Duration::from_millis(50),
        milliseconds,
    );
    figures.at_most(
        "pages: GET /, slowest (the token endpoint takes 5 s)",
        percentile(&times, 100),
        Duration::from_millis(500),
        milliseconds,
    );
    figures.note("pages: GET /, p50", milliseconds(percentile(&times, 50)));
    Ok(())
}

/// How long the dashboard takes. A start page would be no dashboard.
async fn dashboard(mut browser: Browser) -> Fallible<Duration> {
    let started = Instant::now();
    let page = browser.get("/").await?;
    let took = started.elapsed();
    if page.status != 200 || !page.body.contains(r#"name="form_token""#) {
        return Err(format!("GET / showed no dashboard, status {}", page.status));
    }
    Ok(took)
}
