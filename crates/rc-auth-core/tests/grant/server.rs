//! A token endpoint that knows one chain at a time: RingCentral's grace, or none.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use rc_auth_core::{RefreshReplay, Reply, Timestamp, TokenPair, TokenSet};
use url::form_urlencoded;

/// What happens to the next request instead of an honest answer.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// Not one byte leaves.
    NotSent,
    /// Carried out; the answer is lost.
    AnswerLost,
    /// Lost on the way there, which looks the same from here.
    RequestLost,
    /// Carried out, and answered with this instead.
    ProcessedBut(u16, &'static str),
    /// Not carried out, and answered with this.
    Answer(u16, &'static str),
    /// Not carried out, and answered with this status, `Retry-After` and body.
    After(u16, &'static str, &'static str),
    /// Carried out, with this body as the answer to the newest pair.
    With(&'static str),
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) fates: VecDeque<Fate>,
    /// Every refresh token that was presented, also in vain.
    pub(crate) presented: Vec<String>,
    pub(crate) lifetime: u64,
    replay: RefreshReplay,
    /// The number of the newest pair; its tokens are `access-n` and `refresh-n`.
    newest: u64,
    minted: Timestamp,
    used: Option<Timestamp>,
    alive: bool,
}

pub(crate) const DEAD: &str = r#"{"error":"invalid_grant","error_description":"Token not found",
    "errors":[{"errorCode":"OAU-213","message":"Token not found"}]}"#;

impl Server {
    pub(crate) fn new(replay: RefreshReplay, now: Timestamp) -> Self {
        Self {
            fates: VecDeque::new(),
            presented: Vec::new(),
            lifetime: 3600,
            replay,
            newest: 1,
            minted: now,
            used: None,
            alive: true,
        }
    }

    pub(crate) fn pair(&self, now: Timestamp) -> TokenPair {
        let set = TokenSet::from_response(&self.tokens(), now).expect("an honest answer");
        TokenPair::new(set)
    }

    /// Another sign-in: the older chain is dead, its numbers are not used again.
    pub(crate) fn sign_in_again(&mut self, now: Timestamp) -> TokenPair {
        self.newest += 100;
        self.minted = now;
        self.used = None;
        self.alive = true;
        self.pair(now)
    }

    pub(crate) fn revoke_all(&mut self) {
        self.alive = false;
    }

    pub(crate) fn use_access_token(&mut self, token: &str, now: Timestamp) {
        if token == format!("access-{}", self.newest) && self.used.is_none() {
            self.used = Some(now);
        }
    }

    pub(crate) fn is_newest(&self, refresh_token: &str) -> bool {
        refresh_token == format!("refresh-{}", self.newest)
    }

    /// Whether this refresh token would be taken now.
    pub(crate) fn takes(&self, token: &str, now: Timestamp) -> bool {
        self.alive && (self.is_newest(token) || self.replays(token, now))
    }

    fn replays(&self, token: &str, now: Timestamp) -> bool {
        let RefreshReplay::SamePair { unused, used } = self.replay else {
            return false;
        };
        let in_grace = match self.used {
            None => now.saturating_since(self.minted) <= unused,
            Some(at) => now.saturating_since(at) <= used,
        };
        token == format!("refresh-{}", self.newest - 1) && in_grace
    }

    pub(crate) fn receive(&mut self, request: &Request<Bytes>, now: Timestamp) -> Reply {
        let fate = self.fates.pop_front();
        if let Some(Fate::NotSent) = fate {
            return Reply::NotSent;
        }
        let token = form_urlencoded::parse(request.body())
            .find_map(|(name, value)| (name == "refresh_token").then(|| value.into_owned()))
            .expect("a refresh request");
        self.presented.push(token.clone());
        match fate {
            None => Reply::Response(self.exchange(&token, now)),
            Some(Fate::AnswerLost) => {
                let _lost = self.exchange(&token, now);
                Reply::MaybeSent
            }
            Some(Fate::RequestLost) => Reply::MaybeSent,
            Some(Fate::ProcessedBut(status, body)) => {
                let _lost = self.exchange(&token, now);
                Reply::Response(answer(status, body))
            }
            Some(Fate::Answer(status, body)) => Reply::Response(answer(status, body)),
            Some(Fate::After(status, seconds, body)) => {
                let mut response = answer(status, body);
                let value = seconds.parse().expect("a header value");
                response.headers_mut().insert("retry-after", value);
                Reply::Response(response)
            }
            Some(Fate::With(body)) => {
                let _own = self.exchange(&token, now);
                Reply::Response(answer(200, body))
            }
            Some(Fate::NotSent) => Reply::NotSent,
        }
    }

    fn exchange(&mut self, token: &str, now: Timestamp) -> Response<Bytes> {
        if self.alive && self.is_newest(token) {
            self.newest += 1;
            self.minted = now;
            self.used = None;
            return self.tokens();
        }
        if self.takes(token, now) {
            return self.tokens();
        }
        answer(400, DEAD)
    }

    fn tokens(&self) -> Response<Bytes> {
        let (n, lifetime) = (self.newest, self.lifetime);
        let body = format!(
            r#"{{"access_token":"access-{n}","token_type":"bearer","expires_in":{lifetime},
                "refresh_token":"refresh-{n}","refresh_token_expires_in":604800,
                "scope":"ReadAccounts","owner_id":"12133895004"}}"#
        );
        answer(200, body)
    }
}

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .body(body.into())
        .expect("a plain response")
}

/// As long as any test waits.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
