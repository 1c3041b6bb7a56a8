//! A browser without a window: cookies, and forms found in pages.

use std::{collections::BTreeMap, net::SocketAddr};

use rc_sim::Server;

use super::wire::{self, Answer};

/// Keeps cookies and follows nothing by itself. A clone is a copied profile.
#[derive(Clone, Debug)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
    pub address: SocketAddr,
    /// Headers of every request besides the usual ones.
    pub headers: Vec<(&'static str, String)>,
}

impl Browser {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            cookies: BTreeMap::new(),
            address,
            headers: Vec::new(),
        }
    }

    /// A browser whose proxy names `address` as its own.
    pub fn forwarded_for(mut self, address: &str) -> Self {
        self.headers.push(("x-forwarded-for", address.to_owned()));
        self
    }

    /// The same profile after the application moved to another port.
    pub fn at(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    pub fn cookie_header(&self) -> String {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    pub async fn get(&mut self, target: &str) -> Answer {
        self.request("GET", target, "").await
    }

    pub async fn post(&mut self, target: &str, form: &str) -> Answer {
        self.request("POST", target, form).await
    }

    async fn request(&mut self, method: &str, target: &str, form: &str) -> Answer {
        let cookies = self.cookie_header();
        let mut headers = vec![("cookie", cookies.as_str())];
        let own = self.headers.iter();
        headers.extend(own.map(|(name, value)| (*name, value.as_str())));
        if method == "POST" {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
            headers.push(("sec-fetch-site", "same-origin"));
        }
        let answer = wire::exchange(self.address, method, target, &headers, form).await;
        self.keep_cookies(&answer);
        answer
    }

    pub fn keep_cookies(&mut self, answer: &Answer) {
        for set_cookie in answer.all("set-cookie") {
            let (pair, attributes) = set_cookie.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Opens `/login` and returns the platform's address that it leads to.
    pub async fn begin(&mut self) -> String {
        let answer = self.get("/login").await;
        assert_eq!(answer.status, 302, "{}", answer.body);
        answer.location().to_owned()
    }

    /// Signs in at the platform and returns the target of the callback, not yet opened.
    pub async fn sign_in_at(&mut self, sim: &Server) -> String {
        let url = self.begin().await;
        allow(sim, &url)
    }

    /// The dashboard's form token.
    pub async fn form_token(&mut self) -> String {
        let page = self.get("/").await;
        let start = "name=\"form_token\" value=\"";
        let (_, rest) = page
            .body
            .split_once(start)
            .expect("a form on the dashboard");
        rest.split('"').next().expect("a value").to_owned()
    }

    /// Presses the button of a form on the dashboard.
    pub async fn press(&mut self, action: &str) -> Answer {
        let token = self.form_token().await;
        self.post(action, &format!("form_token={token}")).await
    }
}

/// The user signs in at `url` and allows; the target of the callback.
pub fn allow(sim: &Server, url: &str) -> String {
    let now = sim.now();
    let login = sim
        .platform()
        .config()
        .demo_user()
        .expect("a user")
        .login
        .clone();
    let callback = sim.platform().sign_in(url, &login, now).expect("a sign-in");
    target_of(callback.location())
}

/// The user denies.
pub fn deny(sim: &Server, url: &str) -> String {
    let now = sim.now();
    let login = sim
        .platform()
        .config()
        .demo_user()
        .expect("a user")
        .login
        .clone();
    let callback = sim.platform().deny(url, &login, now).expect("a way back");
    target_of(callback.location())
}

/// Path and query of a callback.
fn target_of(location: &str) -> String {
    let url = url::Url::parse(location).expect("an absolute callback");
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}
