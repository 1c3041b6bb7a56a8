//! `kill -9` at bad moments: still signed in afterwards, or cleanly signed out, never broken.

use std::time::{Duration, Instant};

use rc_sim::{Fault, Server, Target};

use crate::stage::{Browser, Process, platform_with, program, send, until, variables_for};

/// A process with one signed-in browser.
struct Scene {
    sim: Server,
    folder: tempfile::TempDir,
    process: Process,
    browser: Browser,
}

impl Scene {
    async fn set(strict: bool) -> Self {
        let sim = platform_with(|config| {
            if strict {
                config.switches.refresh_replay = rc_sim::RefreshReplay::Strict;
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let process = Process::start(&mut program(&variables_for(&sim, folder.path()))).await;
        let mut browser = Browser::new(process.address);
        let callback = browser.sign_in_at(&sim).await;
        assert_eq!(browser.get(&callback).await.status, 303);
        Self {
            sim,
            folder,
            process,
            browser,
        }
    }

    fn expire(&self) {
        let now = self.sim.now();
        self.sim.platform().expire_access_tokens(now);
    }

    fn refreshes_received(&self) -> u64 {
        self.sim
            .platform()
            .counters(self.sim.now())
            .token_refresh
            .received
    }

    fn revocations(&self) -> u64 {
        self.sim.platform().counters(self.sim.now()).revocations
    }

    /// Sends `target` with this browser's cookies and waits for nothing.
    async fn ask(&self, target: &str) -> tokio::net::TcpStream {
        let cookies = self.browser.cookie_header();
        send(
            self.process.address,
            "GET",
            target,
            &[("cookie", &cookies)],
            "",
        )
        .await
    }

    /// Kills the process and starts it again on the same files.
    async fn crash(self) -> Self {
        let Self {
            sim,
            folder,
            process,
            browser,
        } = self;
        process.kill().await;
        sim.platform().clear_faults();
        let process = Process::start(&mut program(&variables_for(&sim, folder.path()))).await;
        let browser = browser.at(process.address);
        Self {
            sim,
            folder,
            process,
            browser,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_during_a_refresh_whose_answer_was_never_read() {
    let scene = Scene::set(false).await;
    scene.expire();
    scene
        .sim
        .platform()
        .queue_fault(Target::Token, Fault::Delay(Duration::from_secs(60)), 1);
    let connection = scene.ask("/me").await;
    until("the refresh", || scene.refreshes_received() == 1).await;
    let mut scene = scene.crash().await;
    drop(connection);
    let started = Instant::now();
    assert_eq!(
        scene.browser.get("/me").await.status,
        200,
        "still signed in"
    );
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "taken over at once, not after its deadline"
    );
    assert_eq!(
        scene
            .sim
            .platform()
            .counters(scene.sim.now())
            .token_refresh
            .replayed,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_started_at_once_after_a_crash_one_takes_over() {
    let scene = Scene::set(false).await;
    scene.expire();
    scene
        .sim
        .platform()
        .queue_fault(Target::Token, Fault::Delay(Duration::from_secs(60)), 1);
    let connection = scene.ask("/me").await;
    until("the refresh", || scene.refreshes_received() == 1).await;
    let Scene {
        sim,
        folder,
        process,
        mut browser,
    } = scene;
    process.kill().await;
    drop(connection);
    sim.platform().clear_faults();
    let variables = variables_for(&sim, folder.path());
    let (mut first, mut second) = (program(&variables), program(&variables));
    let (first, second) = tokio::join!(Process::start(&mut first), Process::start(&mut second));
    let started = Instant::now();
    for process in [&first, &second] {
        browser = browser.at(process.address);
        assert_eq!(browser.get("/me").await.status, 200);
    }
    assert!(started.elapsed() < Duration::from_secs(10));
    let counters = sim.platform().counters(sim.now());
    assert_eq!(
        (
            counters.token_refresh.received,
            counters.token_refresh.replayed
        ),
        (2, 1),
        "presented once more, by one of them"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_platform_saw_the_refresh() {
    let scene = Scene::set(false).await;
    scene.expire();
    scene
        .sim
        .platform()
        .queue_fault(Target::Token, Fault::DropBefore, 100);
    let connection = scene.ask("/me").await;
    until("the refresh", || scene.refreshes_received() >= 1).await;
    let mut scene = scene.crash().await;
    drop(connection);
    assert_eq!(scene.browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_idle() {
    let scene = Scene::set(false).await;
    let mut scene = scene.crash().await;
    assert_eq!(scene.browser.get("/me").await.status, 200);
    assert_eq!(scene.refreshes_received(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_refreshes_of_a_strict_server() {
    let scene = Scene::set(true).await;
    scene.expire();
    let mut scene = scene.crash().await;
    assert_eq!(scene.browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_a_revocation_whose_answer_was_never_read() {
    let scene = Scene::set(false).await;
    let mut browser = scene.browser.clone();
    let form = format!("form_token={}", browser.form_token().await);
    scene
        .sim
        .platform()
        .queue_fault(Target::Revoke, Fault::Delay(Duration::from_secs(60)), 1);
    let signing_out = tokio::spawn(async move { browser.post("/logout", &form).await });
    until("the revocation", || scene.revocations() == 1).await;
    let mut scene = scene.crash().await;
    signing_out.abort();
    assert_eq!(
        scene.browser.get("/me").await.status,
        401,
        "signed out for good"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_revocation_reached_the_platform() {
    let scene = Scene::set(false).await;
    let mut browser = scene.browser.clone();
    let form = format!("form_token={}", browser.form_token().await);
    scene
        .sim
        .platform()
        .queue_fault(Target::Revoke, Fault::DropBefore, 1000);
    assert_eq!(browser.post("/logout", &form).await.status, 303);
    let mut scene = scene.crash().await;
    assert_eq!(
        scene.browser.get("/me").await.status,
        401,
        "signed out for good"
    );
    until("the revocation", || scene.revocations() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_finishing_a_sign_in() {
    let scene = Scene::set(false).await;
    let mut other = Browser::new(scene.process.address);
    let callback = other.sign_in_at(&scene.sim).await;
    scene
        .sim
        .platform()
        .queue_fault(Target::Token, Fault::Delay(Duration::from_secs(60)), 1);
    let cookies = other.cookie_header();
    let connection = send(
        scene.process.address,
        "GET",
        &callback,
        &[("cookie", &cookies)],
        "",
    )
    .await;
    until("the code", || {
        scene
            .sim
            .platform()
            .counters(scene.sim.now())
            .token_code
            .received
            == 2
    })
    .await;
    let mut scene = scene.crash().await;
    drop(connection);
    let mut other = other.at(scene.process.address);
    let signed_in = other.sign_in_at(&scene.sim).await;
    assert_eq!(
        other.get(&signed_in).await.status,
        303,
        "a new sign-in works"
    );
    assert_eq!(
        scene.browser.get("/me").await.status,
        200,
        "others notice nothing"
    );
}
