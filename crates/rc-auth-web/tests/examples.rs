//! The examples as their readers run them: processes, a browser that follows their pages, the simulated platform.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

#[path = "examples/browser.rs"]
mod browser;

use std::{net::TcpListener, path::Path, process::Stdio, time::Duration};

use browser::{Browser, Page};
use rc_sim::{Config, Server};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// An example, where it runs and with what.
struct Example<'a> {
    name: &'a str,
    folder: &'a Path,
    address: String,
    platform: &'a Server,
}

impl Example<'_> {
    /// Starts it and waits until it has said where it listens. Killed when dropped.
    async fn start(&self) -> Child {
        let config = self.platform.platform().config().clone();
        let app = config.confidential_app().unwrap();
        let program = std::env::current_exe().unwrap();
        let program = program.ancestors().nth(2).unwrap().join("examples");
        let program = program.join(format!("{}{}", self.name, std::env::consts::EXE_SUFFIX));
        let mut child = Command::new(&program)
            .current_dir(self.folder)
            .env("RC_CLIENT_ID", app.client_id())
            .env("RC_CLIENT_SECRET", app.client_secret().unwrap())
            .env("RC_REDIRECT_URI", callback(&self.address))
            .env("RC_SERVER_URL", self.platform.base_url())
            .env("BIND", &self.address)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program:?}: {error}. Run: cargo build -p rc-auth-web --examples")
            });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line());
        let line = line.await.expect("a start in time").unwrap();
        assert_eq!(
            line,
            Some(format!("http://{}", self.address)),
            "{}",
            self.name
        );
        child
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From the start page to the start page, by links and buttons only.
    async fn sign_in(&self, browser: &mut Browser, login: &str, password: &str) -> Page {
        let start = browser.open(&self.url("/")).await;
        let page = browser.open(&start.link()).await;
        assert!(page.url.starts_with(&self.platform.base_url()), "{page:?}");
        let page = browser
            .submit(&page, &[("login", login), ("password", password)])
            .await;
        let page = browser.submit(&page, &[]).await;
        assert_eq!(page.url, self.url("/"), "{page:?}");
        page
    }
}

fn callback(address: &str) -> String {
    format!("http://{address}/oauth/callback")
}

/// A port that was free a moment ago: the redirect URI has to be registered before anybody listens there.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

async fn people_sign_in_come_back_after_a_restart_and_sign_out(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let config = Config::demo(3, callback(&address));
    let users: Vec<_> = config.users.iter().take(2).cloned().collect();
    let platform = Server::bind(([127, 0, 0, 1], 0).into(), config)
        .await
        .unwrap();
    let example = Example {
        name,
        folder: folder.path(),
        address,
        platform: &platform,
    };
    let mut running = example.start().await;

    let mut browsers = [Browser::default(), Browser::default()];
    for (browser, user) in browsers.iter_mut().zip(&users) {
        let page = example.sign_in(browser, &user.login, user.password()).await;
        assert!(page.body.contains(&user.name()), "{page:?}");
    }
    assert_ne!(users[0].name(), users[1].name());

    running.kill().await.unwrap();
    running = example.start().await;
    for (browser, user) in browsers.iter_mut().zip(&users) {
        let page = browser.open(&example.url("/")).await;
        assert!(page.body.contains(&user.name()), "{page:?}");
    }

    let [first, second] = &mut browsers;
    let page = first.open(&example.url("/")).await;
    let page = first.submit(&page, &[]).await;
    assert!(page.body.contains("Sign in"), "{page:?}");
    // Its own page asks before it signs out.
    let page = second.open(&example.url("/logout")).await;
    assert!(page.body.contains("Sign out?"), "{page:?}");
    let page = second.submit(&page, &[]).await;
    assert!(page.body.contains("Sign in"), "{page:?}");
    running.kill().await.unwrap();
}

#[tokio::test]
async fn people_use_the_axum_example() {
    people_sign_in_come_back_after_a_restart_and_sign_out("axum_app").await;
}

#[tokio::test]
async fn people_use_the_actix_example() {
    people_sign_in_come_back_after_a_restart_and_sign_out("actix_app").await;
}
