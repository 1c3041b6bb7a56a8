//! The web half of a sign-in: what all its operations share.

use std::{
    net::IpAddr,
    sync::{Arc, Once},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use rc_auth::{Client, Environment, Timestamp, store::KeyRing};
use tokio::sync::oneshot;

use crate::{
    ClientAddress, NoClientAddress, Paths, Rejection, Session, SessionStore, SessionStoreError,
    WebAuthBuilder, client_address,
    code_exchanges::CodeExchanges,
    cookies::{Cookies, MAX_VALUE, cookie},
    pending::PendingSignIns,
    redirect_uri::RedirectUri,
    request_check, security_headers,
    session::{SessionRecord, SessionTimes},
};

/// Signs browsers in and out, and knows them again. Cheap to clone; one for all workers of a server, so that
/// its limits hold over all of them.
///
/// It reads requests and writes headers, and serves nothing itself: the application routes [`Paths`] and the
/// path of the redirect URI to it.
#[derive(Clone, Debug)]
pub struct WebAuth {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) client_address: ClientAddress,
    /// Said once.
    pub(crate) proxy_is_missing: Once,
    pub(crate) exchanges: Arc<CodeExchanges>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) times: SessionTimes,
    pub(crate) pending: PendingSignIns,
    pub(crate) cookies: Cookies,
    pub(crate) session_removal: HeaderValue,
    pub(crate) paths: Paths,
    pub(crate) probe_paths: Vec<String>,
    pub(crate) security_headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) redirect_uri: RedirectUri,
    pub(crate) environment: Arc<dyn Environment>,
}

impl From<Inner> for WebAuth {
    fn from(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl WebAuth {
    /// Begins to build one. `keys` seal the cookies: the same in all processes that serve one application,
    /// and kept over restarts, or everybody has to sign in again.
    pub fn builder(client: Client, keys: KeyRing) -> WebAuthBuilder {
        WebAuthBuilder::new(client, keys)
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The application's paths.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.inner.paths
    }

    /// The path of the redirect URI: what arrives there is for [`finish_sign_in`](Self::finish_sign_in).
    #[must_use]
    pub fn callback_path(&self) -> &str {
        self.inner.redirect_uri.path()
    }

    /// Scheme, host and port under which browsers reach the application, from the redirect URI.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.inner.redirect_uri.origin()
    }

    /// The session of a request, `None` if its browser is not signed in. If it is time, the session is
    /// prolonged: see [`Session::reissue`].
    ///
    /// # Errors
    ///
    /// [`SessionStoreError`]: it is not known. Never with [`SealedCookies`](crate::SealedCookies).
    pub async fn session(&self, headers: &HeaderMap) -> Result<Option<Session>, SessionStoreError> {
        let now = self.now();
        let Some((value, record)) = self.find_session(headers, now).await? else {
            return Ok(None);
        };
        if self.inner.times.is_over(&record, now) {
            return Ok(None);
        }
        let mut session = Session {
            grant: self.inner.client.grant(record.grant()),
            record,
            value: value.to_owned(),
            reissue: None,
        };
        let due = self.inner.times.is_due(&session.record, now);
        let stands = !due || self.prolong(&mut session, now).await;
        Ok(stands.then_some(session))
    }

    /// Lets a request through to its route, or says why not. To be asked before routing, so that no route
    /// can forget it.
    ///
    /// # Hosts
    ///
    /// Served are names of this machine, with any port, and the redirect URI's host and port. Any other
    /// name would be a page of another site whose name was pointed here (DNS rebinding). Probe paths may
    /// also be asked for by an IP address, or without a name.
    ///
    /// # Forms
    ///
    /// `Sec-Fetch-Site` says where a `POST` came from; `Origin` is asked where that is absent. A client that
    /// sends neither is no current browser, and the form's token decides.
    ///
    /// # Errors
    ///
    /// [`Rejection`] says what to answer.
    pub fn check_request(&self, request: &Parts) -> Result<(), Rejection> {
        let inner = &self.inner;
        request_check::check(request, &inner.redirect_uri, &inner.probe_paths)
    }

    /// What every answer says to the browser unless its route says otherwise: no scripts, no frames, no
    /// caches, no address for other sites; https from now on where the redirect URI is https.
    #[must_use]
    pub fn security_headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.inner.security_headers
    }

    /// Adds those of [`security_headers`](Self::security_headers) that an answer does not have.
    pub fn add_security_headers(&self, present: &mut HeaderMap) {
        security_headers::add_missing(&self.inner.security_headers, present);
    }

    /// The address of the browser that sent a request, by the rule this was built with. `peer` is whoever
    /// opened the connection.
    ///
    /// # Errors
    ///
    /// [`NoClientAddress`] if the connection has no address.
    pub fn client_address(
        &self,
        peer: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> Result<IpAddr, NoClientAddress> {
        let peer = peer.ok_or(NoClientAddress)?;
        let rule = &self.inner.client_address;
        if rule.proxy_is_missing(peer, headers) {
            self.inner.proxy_is_missing.call_once(|| {
                tracing::warn!(
                    %peer,
                    "a proxy that is not listed as trusted seems to forward requests: all browsers behind \
                     it count as one address"
                );
            });
        }
        Ok(match rule {
            ClientAddress::Peer => peer.to_canonical(),
            ClientAddress::Forwarded(trusted) => client_address::of(peer, headers, trusted),
        })
    }

    /// The session in the request's cookie, even if its time is over: it still names a grant, which may be
    /// ended and nothing else. One from the future is none.
    pub(crate) async fn find_session<'a>(
        &self,
        headers: &'a HeaderMap,
        now: Timestamp,
    ) -> Result<Option<(&'a str, SessionRecord)>, SessionStoreError> {
        let value = cookie(headers, self.inner.cookies.session_name());
        let Some(value) = value.filter(|value| value.len() <= MAX_VALUE) else {
            return Ok(None);
        };
        let bytes = self.inner.sessions.load(value).await?;
        let record = bytes.and_then(|bytes| SessionRecord::from_bytes(&bytes));
        let record = record.filter(|record| !record.is_from_the_future(now));
        Ok(record.map(|record| (value, record)))
    }

    /// A `Set-Cookie` value for the session called `value`.
    pub(crate) fn session_cookie(
        &self,
        value: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<HeaderValue, SessionStoreError> {
        let left = self.inner.times.end_of(record).saturating_since(now);
        let cookies = &self.inner.cookies;
        cookies
            .set(cookies.session_name(), value, left)
            .ok_or_else(|| SessionStoreError::new("it gave a value that cannot stand in a cookie"))
    }

    /// Whether there still is a session. It is good without this for a while, so a failure is written down
    /// and no more.
    async fn prolong(&self, session: &mut Session, now: Timestamp) -> bool {
        session.record.see(now);
        let bytes = session.record.to_bytes();
        let end = self.inner.times.end_of(&session.record);
        let renewed = self.inner.sessions.renew(&session.value, &bytes, end).await;
        let issued = renewed.and_then(|value| {
            let Some(value) = value else { return Ok(None) };
            let cookie = self.session_cookie(&value, &session.record, now)?;
            Ok(Some((value, cookie)))
        });
        match issued {
            Ok(Some((value, cookie))) => {
                session.value = value;
                session.reissue = Some(cookie);
            }
            Ok(None) => return false, // signed out at this moment
            Err(error) => tracing::warn!(%error, "a session could not be prolonged"),
        }
        true
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.environment.wall()
    }

    /// The monotonic time.
    pub(crate) fn mono(&self) -> Duration {
        self.inner.environment.now().mono
    }

    /// Runs `future` in a task that ends by itself, also when the request or its worker ends before.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (done, result) = oneshot::channel();
        self.inner.environment.spawn(Box::pin(async move {
            // Whoever waited may have gone away.
            let _ = done.send(future.await);
        }));
        result
    }

    /// What `future` gives, if it does within `limit`.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let deadline = self.mono() + limit;
        tokio::select! {
            biased;
            done = future => Some(done),
            () = self.inner.environment.sleep_until(deadline) => None,
        }
    }
}
