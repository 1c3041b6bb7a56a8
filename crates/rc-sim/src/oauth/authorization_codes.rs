//! Authorization codes: short-lived and single use.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    config::{ClientId, UserId},
    oauth::{error::OauthCode, pkce::Challenge},
    seed::Seed,
    timestamp::Timestamp,
};

/// How long a code is remembered after it was issued, so that "expired" and "unknown" stay different.
const REMEMBERED: Duration = Duration::from_secs(600);
/// The most codes remembered at once.
const MOST: usize = 10_000;

/// What an authorization code stands for.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct CodeGrant {
    pub(crate) app: ClientId,
    pub(crate) user: UserId,
    pub(crate) scope: String,
    /// When the user typed the password, for the ID token.
    pub(crate) signed_in_at: Timestamp,
    /// Copied to the ID token.
    pub(crate) nonce: Option<String>,
    /// The redirect URI the code was sent to.
    pub(crate) redirect_uri: String,
    /// Whether the authorization request named it (RFC 6749 section 4.1.3).
    pub(crate) redirect_uri_sent: bool,
    pub(crate) challenge: Option<Challenge>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Issued {
    number: u64,
    grant: CodeGrant,
    issued_at: Timestamp,
    expires_at: Timestamp,
    used: bool,
}

/// A code as it is kept over a restart.
#[derive(Deserialize, Serialize)]
pub(crate) struct IssuedCode {
    code: String,
    issued: Issued,
}

/// What the token request says about the code.
pub(crate) struct Presented<'a> {
    pub(crate) app: &'a ClientId,
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) verifier: Option<&'a str>,
}

#[derive(Default)]
pub(crate) struct Codes {
    issued: HashMap<String, Issued>,
    order: VecDeque<(Timestamp, String)>,
    count: u64,
}

impl Codes {
    pub(crate) fn issue(
        &mut self,
        seed: &Seed,
        grant: CodeGrant,
        life: Duration,
        now: Timestamp,
    ) -> String {
        self.forget_old(now);
        // Wraps: a snapshot may say any number.
        self.count = self.count.wrapping_add(1);
        let parts: [&[u8]; 2] = [&self.count.to_be_bytes(), &now.millis().to_be_bytes()];
        let code = format!("U0lNMDFQMDFQQVMwMHw{}", seed.text("code", &parts, 43));
        self.order.push_back((now, code.clone()));
        let issued = Issued {
            number: self.count,
            grant,
            issued_at: now,
            expires_at: now.plus(life),
            used: false,
        };
        self.issued.insert(code.clone(), issued);
        code
    }

    /// A code as it is to be kept.
    pub(crate) fn kept(&self, code: &str) -> Option<IssuedCode> {
        let issued = self.issued.get(code)?.clone();
        let code = code.to_owned();
        Some(IssuedCode { code, issued })
    }

    /// The codes that are remembered at `now`, oldest first.
    pub(crate) fn remembered(&self, now: Timestamp) -> impl Iterator<Item = IssuedCode> {
        let codes = self.order.iter();
        let young = codes.filter(move |(at, _)| now.since(*at) < REMEMBERED);
        young.filter_map(|(_, code)| self.kept(code))
    }

    /// Takes over a code of a former run.
    pub(crate) fn insert(&mut self, IssuedCode { code, issued }: IssuedCode) {
        self.count = self.count.max(issued.number);
        if !self.issued.contains_key(&code) {
            self.order.push_back((issued.issued_at, code.clone()));
        }
        self.issued.insert(code, issued);
    }

    /// Takes the grant a code stands for. A refusal does not spend the code.
    pub(crate) fn redeem(
        &mut self,
        presented: &Presented<'_>,
        now: Timestamp,
    ) -> Result<CodeGrant, OauthCode> {
        let issued = self
            .issued
            .get_mut(presented.code)
            .ok_or(OauthCode::Oau106)?;
        if issued.grant.app != *presented.app {
            return Err(OauthCode::Oau110);
        }
        // Platform §2: a code is single use; re-use is refused with OAU-106.
        if issued.used {
            return Err(OauthCode::Oau106);
        }
        // Platform §2: a code lives 60 s; later it is OAU-108.
        if issued.expires_at <= now {
            return Err(OauthCode::Oau108);
        }
        issued.grant.check(presented)?;
        issued.used = true;
        Ok(issued.grant.clone())
    }

    /// The user whom a code was issued to.
    pub(crate) fn owner(&self, code: &str) -> Option<UserId> {
        self.issued.get(code).map(|issued| issued.grant.user)
    }

    /// The scope a code stands for.
    pub(crate) fn scope(&self, code: &str) -> Option<&str> {
        self.issued
            .get(code)
            .map(|issued| issued.grant.scope.as_str())
    }

    /// The user whom a code of `app`, spent or expired or not, was issued to.
    pub(crate) fn user(&self, code: &str, app: &ClientId) -> Option<UserId> {
        let issued = self.issued.get(code)?;
        (issued.grant.app == *app).then_some(issued.grant.user)
    }

    fn forget_old(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.order.front() {
            if now.since(*at) < REMEMBERED && self.order.len() < MOST {
                break;
            }
            if let Some((_, code)) = self.order.pop_front() {
                self.issued.remove(&code);
            }
        }
    }
}

impl CodeGrant {
    fn check(&self, presented: &Presented<'_>) -> Result<(), OauthCode> {
        // Platform §2: the token request repeats the redirect URI of the authorization request.
        let same_uri = match presented.redirect_uri {
            Some(uri) => uri == self.redirect_uri,
            None => !self.redirect_uri_sent,
        };
        if !same_uri {
            return Err(OauthCode::Oau109);
        }
        let proven = match (&self.challenge, presented.verifier) {
            (Some(challenge), Some(verifier)) => challenge.is_met_by(verifier),
            (None, None) => true,
            // A verifier without a challenge is a downgrade (RFC 9700 section 2.1.1).
            (Some(_), None) | (None, Some(_)) => false,
        };
        if proven {
            Ok(())
        } else {
            Err(OauthCode::Oau106)
        }
    }
}
