//! Browsers that are signed in to the platform: a sealed cookie, and nothing on the server.
//!
//! That RingCentral's sign-in page remembers browsers is documented by `prompt=none` (Platform §2); for how long, and
//! how, is assumed.

use http::{HeaderMap, HeaderValue, Response, header::COOKIE, header::SET_COOKIE};

use crate::{config::UserId, platform::Platform, timestamp::Timestamp};

/// Cookies ignore ports, so the name is one that no application under test will have.
const COOKIE_NAME: &str = "rc-sim-session";

/// A user whose browser is signed in.
#[derive(Clone, Copy)]
pub(crate) struct BrowserSession {
    pub(crate) user: UserId,
    /// When the password was typed.
    pub(crate) at: Timestamp,
}

impl Platform {
    /// Lets the browser that gets `response` be known as the user's.
    pub(crate) fn remember_browser<B>(&self, session: BrowserSession, response: &mut Response<B>) {
        let life = self.config.switches.browser_session;
        if life.is_zero() {
            return;
        }
        let cookie = format!(
            "{COOKIE_NAME}={}.{}.{}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax",
            session.user.0,
            session.at.millis(),
            self.browser_seal(session),
            life.as_secs()
        );
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }

    /// Whose browser it is that sent `headers`.
    pub(crate) fn known_browser(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<BrowserSession> {
        let cookies = headers.get_all(COOKIE).iter();
        let mut cookies = cookies
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'));
        let value = cookies.find_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            (name == COOKIE_NAME).then_some(value)
        })?;
        let mut fields = value.splitn(3, '.');
        let session = BrowserSession {
            user: UserId(fields.next()?.parse().ok()?),
            at: Timestamp::from_millis(fields.next()?.parse().ok()?),
        };
        let genuine = fields.next()? == self.browser_seal(session);
        let fresh = now.since(session.at) < self.config.switches.browser_session;
        (genuine && fresh).then_some(session)
    }

    /// How often the user's password was changed, as it were.
    pub(crate) fn times_changed(&self, user: UserId) -> u64 {
        self.passwords_changed
            .get(&user)
            .copied()
            .unwrap_or_default()
    }

    /// Bound to how often the user's sessions were ended by hand: a changed password ends those of browsers too.
    fn browser_seal(&self, session: BrowserSession) -> String {
        let ended = self.times_changed(session.user);
        let parts: [&[u8]; 3] = [
            &session.user.0.to_be_bytes(),
            &session.at.millis().to_be_bytes(),
            &ended.to_be_bytes(),
        ];
        self.seed.text("browser session", &parts, 43)
    }
}
