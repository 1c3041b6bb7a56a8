//! The platform: chains of tokens that rotate, and spent tokens that get the same pair until it is used.

use bytes::Bytes;
use http::{Response, StatusCode};
use rc_auth_core::{Reply, Secret};

/// What one sign-in started, as the platform knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    /// The number of the newest access token.
    pub(crate) access: u8,
    /// The number of the newest refresh token.
    pub(crate) refresh: u8,
    /// The newest access token was used: the spent refresh token is refused from now on.
    pub(crate) used: bool,
    pub(crate) alive: bool,
    /// What became of its newest refresh tokens. Older ones are sent by nobody.
    newest: [Presented; 2],
}

/// How often somebody wanted to present a refresh token.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Presented {
    pub(crate) refresh: u8,
    /// How many intents were written for it.
    pub(crate) begun: u8,
    /// How often it was sent, and its sender has not heard that it was left as it was.
    pub(crate) sent: u8,
}

/// The tokens of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tokens {
    pub(crate) chain: u8,
    pub(crate) access: u8,
    /// `None`: the answer leaves it out.
    pub(crate) refresh: Option<u8>,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self {
            access: 1,
            refresh: 1,
            used: false,
            alive: true,
            newest: [Presented::default(); 2],
        }
    }

    /// An intent to present it is written.
    pub(crate) fn begin(&mut self, refresh: u8) {
        let [_, newest] = self.newest;
        if newest.refresh < refresh {
            let fresh = Presented {
                refresh,
                ..Presented::default()
            };
            self.newest = [newest, fresh];
        }
        self.change(refresh, |it| it.begun = it.begun.saturating_add(1));
    }

    /// It is sent.
    pub(crate) fn send(&mut self, refresh: u8) {
        self.change(refresh, |it| it.sent = it.sent.saturating_add(1));
    }

    /// Its sender hears that it was left as it was.
    pub(crate) fn take_back(&mut self, refresh: u8) {
        self.change(refresh, |it| it.sent = it.sent.saturating_sub(1));
    }

    fn change(&mut self, refresh: u8, change: fn(&mut Presented)) {
        let newest = self.newest.iter_mut();
        newest.filter(|it| it.refresh == refresh).for_each(change);
    }

    pub(crate) fn presented(&self, refresh: u8) -> Presented {
        let found = self.newest.iter().find(|it| it.refresh == refresh);
        found.copied().unwrap_or_default()
    }

    pub(crate) const fn newest(&self) -> [Presented; 2] {
        self.newest
    }

    /// Whether this refresh token would be taken now.
    pub(crate) fn takes(&self, refresh: u8) -> bool {
        self.alive && (refresh == self.refresh || (refresh + 1 == self.refresh && !self.used))
    }

    /// Presents a refresh token; `None`: refused.
    pub(crate) fn present(&mut self, chain: u8, refresh: u8, omits: bool) -> Option<Tokens> {
        if !self.takes(refresh) {
            return None;
        }
        let rotates = refresh == self.refresh;
        if rotates {
            self.access += 1;
            self.used = false;
            self.refresh += u8::from(!omits);
        }
        Some(Tokens {
            chain,
            access: self.access,
            refresh: (!(omits && rotates)).then_some(self.refresh),
        })
    }
}

impl Chain {
    /// Presents a refresh token to a platform that takes each once, and takes one that comes again for stolen
    /// (RFC 9700 section 4.14.2). `None`: refused.
    pub(crate) fn present_once(&mut self, chain: u8, refresh: u8, omits: bool) -> Option<Tokens> {
        if refresh < self.refresh {
            self.alive = false;
        }
        self.present(chain, refresh, omits)
    }
}

impl Tokens {
    /// The answer as it arrives.
    pub(crate) fn response(self) -> Response<Bytes> {
        let Self { chain, access, .. } = self;
        let refresh = self.refresh.map_or(String::new(), |number| {
            format!(r#","refresh_token":"r{chain}.{number}""#)
        });
        let body = format!(r#"{{"access_token":"a{chain}.{access}","expires_in":3600{refresh}}}"#);
        Response::new(Bytes::from(body))
    }
}

/// The answer to a token that is dead.
pub(crate) fn refusal() -> Reply {
    let mut response = Response::new(Bytes::from_static(br#"{"error":"invalid_grant"}"#));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    Reply::Response(response)
}

/// An answer without a word about the token.
pub(crate) fn in_trouble(status: StatusCode) -> Reply {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    Reply::Response(response)
}

/// Chain and number in the name of a token.
pub(crate) fn name_of(token: &str) -> Option<(u8, u8)> {
    let (chain, number) = token.get(1..)?.split_once('.')?;
    Some((chain.parse().ok()?, number.parse().ok()?))
}

/// The same of a secret.
pub(crate) fn name_of_secret(secret: &Secret) -> Option<(u8, u8)> {
    name_of(secret.expose())
}

/// Chain and number of the refresh token in a request.
pub(crate) fn presented(body: &[u8]) -> Option<(u8, u8)> {
    let text = std::str::from_utf8(body).ok()?;
    let fields = text.split('&');
    let token = fields
        .into_iter()
        .find_map(|field| field.strip_prefix("refresh_token="))?;
    name_of(token)
}
