//! The demo in a real browser: `cargo xtask e2e`, or with chromedriver's address in `RC_E2E_WEBDRIVER`.
//!
//! Screenshots go to `target/e2e/`.

use std::{error::Error, ffi::OsString, path::PathBuf, time::Duration};

use fantoccini::{Client, ClientBuilder, Locator, key::Key, wd::WebDriverCompatibleCommand};
use hyper_util::client::legacy::connect::HttpConnector;
use rc_web::{Running, config::Config};
use serde_json::{Value, json};
use url::Url;

type Outcome = Result<(), Box<dyn Error>>;

/// How the browser's window looks.
#[derive(Clone, Copy)]
struct Device {
    name: &'static str,
    width: u32,
    height: u32,
    dark: bool,
}

const DEVICES: [Device; 4] = [
    Device {
        name: "phone-light",
        width: 390,
        height: 844,
        dark: false,
    },
    Device {
        name: "phone-dark",
        width: 390,
        height: 844,
        dark: true,
    },
    Device {
        name: "desktop-light",
        width: 1280,
        height: 900,
        dark: false,
    },
    Device {
        name: "desktop-dark",
        width: 1280,
        height: 900,
        dark: true,
    },
];

/// The demo, and a browser in front of it.
struct Demo {
    app: Running,
    browser: Client,
    device: Device,
    _folder: tempfile::TempDir,
}

impl Demo {
    async fn open(device: Device) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let database = format!(
            "sqlite://{}?mode=rwc",
            folder.path().join("demo.db").display()
        );
        let config = Config::from_lookup(|name| match name {
            "BIND" => Some(OsString::from("127.0.0.1:0")),
            "DATABASE_URL" => Some(OsString::from(&database)),
            _ => None,
        })?;
        let app = Running::start(config).await?;
        let browser = connect(device).await?;
        browser.goto(&app.summary().origin).await?;
        Ok(Self {
            app,
            browser,
            device,
            _folder: folder,
        })
    }

    /// Clicks what `selector` finds and waits for the page whose heading contains `heading`.
    async fn click(&self, selector: &str, heading: &str) -> Outcome {
        self.browser
            .find(Locator::Css(selector))
            .await?
            .click()
            .await?;
        self.arrive(heading).await
    }

    async fn arrive(&self, heading: &str) -> Outcome {
        for _ in 0..200 {
            if let Ok(found) = self.browser.find(Locator::Css("h1")).await {
                if found.text().await.is_ok_and(|text| text.contains(heading)) {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(25)).await; // the browser's time, not ours
        }
        Err(format!(
            "no page headed {heading:?}:\n{}",
            self.browser.source().await?
        )
        .into())
    }

    async fn sign_in(&self) -> Outcome {
        self.click("a.button[href='/login']", "Sign in").await?;
        self.click("button[value='sign-in']", "Allow access")
            .await?;
        self.click("button[value='allow']", "Ada").await
    }

    /// Saves a picture and checks that nothing sticks out of the window.
    async fn look(&self, page: &str) -> Outcome {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../e2e");
        std::fs::create_dir_all(&folder)?;
        let name = format!("{page}-{}.png", self.device.name);
        std::fs::write(folder.join(name), self.browser.screenshot().await?)?;
        let script = "return document.documentElement.scrollWidth - window.innerWidth";
        let sticking_out = self.browser.execute(script, vec![]).await?;
        assert!(
            sticking_out.as_i64() <= Some(0),
            "{page} is {sticking_out} px too wide"
        );
        Ok(())
    }

    /// Ends both and checks that the browser had nothing to complain about.
    async fn close(self) -> Outcome {
        let complaints = self.browser.issue_cmd(BrowserLog).await?;
        let complaints = complaints.as_array().cloned().unwrap_or_default();
        // Chromium notes every 4xx it shows; those are the pages this test asks for.
        let ours = |entry: &&Value| entry["source"] != "network";
        assert_eq!(
            complaints.iter().filter(ours).collect::<Vec<_>>(),
            [&Value::Null; 0]
        );
        self.browser.close().await?;
        assert!(self.app.stop().await);
        Ok(())
    }
}

/// chromedriver's own command for the console.
#[derive(Debug)]
struct BrowserLog;

impl WebDriverCompatibleCommand for BrowserLog {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (
            http::Method::POST,
            Some(json!({ "type": "browser" }).to_string()),
        )
    }
}

async fn connect(device: Device) -> Result<Client, Box<dyn Error>> {
    let Ok(driver) = std::env::var("RC_E2E_WEBDRIVER") else {
        return Err(
            "RC_E2E_WEBDRIVER is not set: start chromedriver and give its address, e.g. \
             RC_E2E_WEBDRIVER=http://127.0.0.1:9515, or run `cargo xtask e2e`, which does both"
                .into(),
        );
    };
    let scheme = if device.dark { 0 } else { 1 };
    let Device { width, height, .. } = device;
    let mut options = json!({ "args": [
        "--headless=new", "--no-sandbox", "--disable-quic", "--disable-background-networking",
        "--disable-dev-shm-usage", "--hide-scrollbars",
        format!("--window-size={width},{height}"),
        format!("--blink-settings=preferredColorScheme={scheme}"),
    ]});
    if width < 500 {
        options["mobileEmulation"] =
            json!({ "deviceMetrics": { "width": width, "height": height, "pixelRatio": 2.0 } });
    }
    let capabilities = json!({
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    let mut builder = ClientBuilder::new(HttpConnector::new());
    if let Value::Object(capabilities) = capabilities {
        builder.capabilities(capabilities);
    }
    Ok(builder.connect(&driver).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_on_every_device() -> Outcome {
    for device in DEVICES {
        let demo = Demo::open(device).await?;
        demo.look("1-signed-out").await?;
        demo.sign_in().await?;
        demo.look("2-dashboard").await?;
        demo.click("a[href='/call#answer']", "Ada").await?;
        demo.browser
            .wait()
            .for_element(Locator::Id("answer"))
            .await?;
        demo.look("3-api-answer").await?;
        demo.click("form[action='/refresh'] button", "Ada").await?;
        demo.browser
            .wait()
            .for_element(Locator::Css(".notice"))
            .await?;
        demo.look("4-refreshed").await?;
        demo.browser
            .goto(&format!("{}/logout", demo.app.summary().origin))
            .await?;
        demo.look("5-sign-out").await?;
        demo.click("main form[action='/logout'] button", "Connect your")
            .await?;
        demo.look("6-after-sign-out").await?;
        let foreign = format!(
            "{}/oauth/callback?state=x&code=y",
            demo.app.summary().origin
        );
        demo.browser.goto(&foreign).await?;
        demo.arrive("This browser has no such sign-in").await?;
        demo.look("7-error").await?;
        demo.close().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_generation_counts_up_and_going_back_is_harmless() -> Outcome {
    let demo = Demo::open(DEVICES[2]).await?;
    demo.sign_in().await?;
    for generation in 2..=3 {
        demo.click("form[action='/refresh'] button", "Ada").await?;
        let shown = demo
            .browser
            .wait()
            .for_element(Locator::XPath("//dt[.='Generation']/../dd"));
        assert!(
            shown
                .await?
                .text()
                .await?
                .starts_with(&generation.to_string())
        );
    }
    demo.browser.back().await?;
    demo.browser.refresh().await?;
    demo.arrive("Ada").await?;
    demo.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_sign_in_one_after_the_other() -> Outcome {
    let demo = Demo::open(DEVICES[2]).await?;
    let first = demo.browser.window().await?;
    demo.click("a.button[href='/login']", "Sign in").await?;
    let second = demo.browser.new_window(true).await?.handle;
    demo.browser.switch_to_window(second).await?;
    demo.browser.goto(&demo.app.summary().origin).await?;
    demo.sign_in().await?;
    demo.browser.switch_to_window(first).await?;
    demo.click("button[value='sign-in']", "A").await?;
    if let Ok(allow) = demo
        .browser
        .find(Locator::Css("button[value='allow']"))
        .await
    {
        allow.click().await?;
    }
    demo.arrive("Ada").await?;
    demo.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyboard_is_enough_and_focus_can_be_seen() -> Outcome {
    let demo = Demo::open(DEVICES[2]).await?;
    let press = async |key: Key| -> Outcome {
        let key = char::from(key).to_string();
        Ok(demo.browser.active_element().await?.send_keys(&key).await?)
    };
    press(Key::Tab).await?;
    assert_eq!(
        demo.browser.active_element().await?.text().await?,
        "Skip to content"
    );
    press(Key::Tab).await?; // the name of the site
    press(Key::Tab).await?;
    let button = demo.browser.active_element().await?;
    assert_eq!(button.text().await?, "Sign in with RingCentral");
    assert_eq!(button.css_value("outline-style").await?, "solid");
    press(Key::Enter).await?;
    demo.arrive("Sign in").await?;
    demo.close().await
}
