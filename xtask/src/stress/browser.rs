//! A browser without a window: a cookie jar that can sign in.

use std::{collections::BTreeMap, net::SocketAddr};

use crate::{
    Fallible,
    processes::{Simulator, User},
    wire::{self, Answer, Request, target_of},
};

/// One profile. Follows nothing by itself.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    address: SocketAddr,
    cookies: BTreeMap<String, String>,
    forwarded_for: Option<String>,
}

impl Browser {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            cookies: BTreeMap::new(),
            forwarded_for: None,
        }
    }

    /// A browser whose proxy says that its address is `address`.
    pub(super) fn forwarded_for(self, address: String) -> Self {
        Self {
            forwarded_for: Some(address),
            ..self
        }
    }

    /// The same profile at another process of the application.
    pub(super) fn at(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// `GET target` of the application.
    pub(crate) async fn get(&mut self, target: &str) -> Fallible<Answer> {
        let cookies = self.cookies();
        let mut headers = Vec::new();
        if !cookies.is_empty() {
            headers.push(("cookie", cookies.as_str()));
        }
        let forwarded = self.forwarded_for.as_deref();
        headers.extend(forwarded.map(|address| ("x-forwarded-for", address)));
        let request = Request {
            method: "GET",
            target,
            headers,
            body: "",
        };
        let answer = wire::exchange(self.address, &request).await?;
        self.keep_cookies(&answer);
        Ok(answer)
    }

    /// The `Cookie` header of its requests, empty without any.
    pub(crate) fn cookies(&self) -> String {
        let cookies = self.cookies.iter();
        let cookies: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        cookies.join("; ")
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for set_cookie in answer.all("set-cookie") {
            let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Signs `user` in at the platform, and returns the target of the callback, not yet opened.
    pub(super) async fn callback(
        &mut self,
        simulator: &Simulator,
        user: &User,
    ) -> Fallible<String> {
        let started = self.get("/login").await?;
        let location = started.location()?;
        let callback = at_the_platform(simulator.address(), user, target_of(location)).await?;
        Ok(target_of(&callback).to_owned())
    }

    /// A callback with a good state and a code that the platform never gave.
    pub(super) async fn junk_callback(&mut self) -> Fallible<String> {
        let started = self.get("/login").await?;
        let (_, query) = started.location()?.split_once('?').unwrap_or_default();
        let state = query.split('&').find(|pair| pair.starts_with("state="));
        let state = state.ok_or("the authorization request has no state")?;
        Ok(format!("/oauth/callback?{state}&code=junk"))
    }

    /// Signs `user` in, from the first page to the session.
    pub(crate) async fn sign_in(&mut self, simulator: &Simulator, user: &User) -> Fallible<()> {
        let callback = self.callback(simulator, user).await?;
        let answer = self.get(&callback).await?;
        match answer.status {
            303 => Ok(()),
            status => Err(format!("a sign-in was answered {status}: {}", answer.body)),
        }
    }
}

/// Through the pages of the platform: sign-in, and consent where it is asked for. Where they lead to.
async fn at_the_platform(platform: SocketAddr, user: &User, target: &str) -> Fallible<String> {
    let request = page("GET", target, "");
    let first = wire::exchange(platform, &request).await?;
    let sign_in = first.location()?;
    // Logins and passwords of the simulated users have no letter that a form has to encode.
    let form = format!("login={}&password={}", user.login, user.password);
    let second = wire::exchange(platform, &page("POST", sign_in, &form)).await?;
    if let Ok(location) = second.location() {
        return Ok(location.to_owned());
    }
    let ticket = second.body.split_once(r#"name="ticket" value=""#);
    let ticket = ticket.and_then(|(_, rest)| rest.split('"').next());
    let ticket = ticket.ok_or_else(|| format!("no consent page: {}", second.body))?;
    let form = format!("ticket={ticket}&action=allow");
    let consent = sign_in.replacen("/login", "/login/consent", 1);
    let third = wire::exchange(platform, &page("POST", &consent, &form)).await?;
    third.location().map(str::to_owned)
}

fn page<'a>(method: &'a str, target: &'a str, body: &'a str) -> Request<'a> {
    let form = ("content-type", "application/x-www-form-urlencoded");
    Request {
        method,
        target,
        headers: vec![("accept", "text/html"), form],
        body,
    }
}
