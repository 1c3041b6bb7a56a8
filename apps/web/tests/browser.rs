//! A person with a browser: sign in, call the API, refresh, sign out, on the demo as it is started.
//!
//! Run by `cargo xtask e2e`, which starts the driver of headless Chromium and names its address in
//! `RC_E2E_WEBDRIVER`.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

/// The demo on a free port and files of its own, killed when dropped.
struct Demo {
    child: Child,
    address: String,
    _files: tempfile::TempDir,
}

impl Demo {
    fn start() -> Self {
        let files = tempfile::tempdir().expect("a temporary directory");
        let mut child = Command::new(env!("CARGO_BIN_EXE_rc-web"))
            .current_dir(files.path())
            .env_clear()
            .env("BIND", "127.0.0.1:0")
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo starts");
        let stdout = child.stdout.take().expect("its output is a pipe");
        let address = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Open ").map(str::to_owned))
            .expect("the demo prints its address");
        Self {
            child,
            address,
            _files: files,
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Already gone is fine too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn browser(width: u32, dark: bool) -> Client {
    let driver = std::env::var("RC_E2E_WEBDRIVER")
        .expect("RC_E2E_WEBDRIVER names the driver; run `cargo xtask e2e`");
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
    let window = format!("--window-size={width},900");
    let args = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        &scheme,
        &window,
    ];
    let capabilities = json!({ "goog:chromeOptions": { "args": args } });
    let capabilities = capabilities.as_object().expect("an object").clone();
    let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
    builder
        .capabilities(capabilities)
        .connect(&driver)
        .await
        .expect("the driver answers")
}

async fn picture(browser: &Client, name: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e");
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    let png = browser.screenshot().await.expect("a picture");
    std::fs::write(folder.join(format!("{name}.png")), png).expect("the picture is written");
}

async fn press(browser: &Client, text: &str) {
    let path = format!("//*[self::a or self::button][normalize-space()='{text}']");
    let element = browser.wait().for_element(Locator::XPath(&path)).await;
    element
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .click()
        .await
        .expect("it can be pressed");
}

async fn shows(browser: &Client, text: &str) {
    let path = format!("//main[contains(normalize-space(), \"{text}\")]");
    let found = browser.wait().for_element(Locator::XPath(&path)).await;
    found.unwrap_or_else(|error| panic!("the page does not show {text:?}: {error}"));
}

async fn walk(width: u32, dark: bool, name: &str) {
    let demo = Demo::start();
    let browser = browser(width, dark).await;
    browser.goto(&demo.address).await.expect("the start page");
    picture(&browser, &format!("{name}-signed-out")).await;
    browser
        .find(Locator::Css("a[href^='/login']"))
        .await
        .expect("a way in")
        .click()
        .await
        .expect("a click");
    picture(&browser, &format!("{name}-platform")).await;
    for _ in 0..2 {
        let button = browser
            .wait()
            .for_element(Locator::Css("form button[type=submit]"))
            .await;
        button
            .expect("the platform's button")
            .click()
            .await
            .expect("a click");
    }
    shows(&browser, "Generation").await;
    picture(&browser, &format!("{name}-dashboard")).await;
    press(&browser, "Call the API").await;
    shows(&browser, "extensionNumber").await;
    picture(&browser, &format!("{name}-answer")).await;
    press(&browser, "Refresh now").await;
    shows(&browser, "Generation").await;
    press(&browser, "Sign out").await;
    browser
        .wait()
        .for_element(Locator::Css("a[href^='/login']"))
        .await
        .expect("signed out");
    let wrong = format!("{}/oauth/callback?code=x&state=y", demo.address);
    browser.goto(&wrong).await.expect("an error page");
    shows(&browser, "sign").await;
    picture(&browser, &format!("{name}-error")).await;
    browser.close().await.expect("the browser ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_out_on_a_desktop() {
    walk(1280, false, "desktop-light").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_out_on_a_phone_at_night() {
    walk(390, true, "phone-dark").await;
}
