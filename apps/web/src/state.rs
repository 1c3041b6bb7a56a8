//! What every request handler shares.

use std::{
    future::Future,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Once},
    time::Duration,
};

use actix_web::{HttpRequest, http::header::HeaderMap, web};
use rc_auth::{AttemptName, CallError, Client, Environment, Grant, Timestamp, store::TokenStore};
use tokio::sync::oneshot;

use crate::{
    browser_address,
    code_exchanges::{Admission, CodeExchanges, NotNow},
    config::{CallbackLimit, RedirectUri, TrustedProxies},
    cookies::Cookies,
    pages,
    session::BrowserSession,
};

/// How long a page waits for anything that is not on this machine.
pub(crate) const PAGE_PATIENCE: Duration = Duration::from_millis(500);
/// How long an explicit call of the API waits.
pub(crate) const CALL_PATIENCE: Duration = Duration::from_secs(10);

/// The call that says who is signed in.
pub(crate) const EXTENSION: &str = "/restapi/v1.0/account/~/extension/~";

/// The application: built once at start, the same for all workers.
#[derive(Clone)]
pub(crate) struct Application {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    store: Arc<dyn TokenStore>,
    cookies: Cookies,
    redirect_uri: RedirectUri,
    platform: PlatformName,
    environment: Arc<dyn Environment>,
    form_limit: Duration,
    exchanges: Arc<CodeExchanges>,
    trusted_proxies: TrustedProxies,
    /// Said once.
    proxy_is_missing: Once,
}

/// The platform as pages name it.
#[derive(Clone, Debug)]
pub(crate) struct PlatformName {
    /// Its host.
    pub host: String,
    /// Whether it is the simulated one.
    pub simulated: bool,
}

/// What an [`Application`] is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Signs in, calls, refreshes, signs out.
    pub client: Client,
    /// Where the client keeps its records; asked whether it answers.
    pub store: Arc<dyn TokenStore>,
    /// Seals the cookies.
    pub cookies: Cookies,
    /// Where browsers come back to.
    pub redirect_uri: RedirectUri,
    /// Whom people sign in with.
    pub platform: PlatformName,
    /// Tells the time, and runs what must not end with a request.
    pub environment: Arc<dyn Environment>,
    /// How long the body of a form may take to arrive.
    pub form_limit: Duration,
    /// How many refused code exchanges an address may cause.
    pub callback_limit: Option<CallbackLimit>,
    /// Whose word about the browser's address is believed.
    pub trusted_proxies: TrustedProxies,
}

impl Application {
    /// Puts the parts together.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            client,
            store,
            cookies,
            redirect_uri,
            platform,
            environment,
            form_limit,
            callback_limit,
            trusted_proxies,
        } = parts;
        let inner = Inner {
            client,
            store,
            cookies,
            redirect_uri,
            platform,
            environment,
            form_limit,
            exchanges: CodeExchanges::new(callback_limit),
            trusted_proxies,
            proxy_is_missing: Once::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The application a request was sent to.
    pub(crate) fn of(request: &HttpRequest) -> &Self {
        match request.app_data::<web::Data<Self>>() {
            Some(data) => data,
            None => unreachable!("the server registers the application before its routes"),
        }
    }

    /// The client of `rc-auth`.
    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The store below the client.
    pub(crate) fn store(&self) -> &dyn TokenStore {
        &*self.inner.store
    }

    /// Seals and opens cookies.
    pub(crate) fn cookies(&self) -> &Cookies {
        &self.inner.cookies
    }

    /// Where browsers come back to.
    pub(crate) fn redirect_uri(&self) -> &RedirectUri {
        &self.inner.redirect_uri
    }

    /// Whom people sign in with.
    pub(crate) fn platform(&self) -> &PlatformName {
        &self.inner.platform
    }

    /// How long the body of a form may take to arrive.
    pub(crate) fn form_limit(&self) -> Duration {
        self.inner.form_limit
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.environment.wall()
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

    /// Asks the platform who signed in, and writes it down for the pages. Goes on in the background; the
    /// receiver is for whoever wants to wait.
    pub(crate) fn find_out_who(&self, grant: &Grant) -> oneshot::Receiver<()> {
        let grant = grant.clone();
        self.spawn(async move {
            let found = match grant.get(EXTENSION).await {
                Ok(answer) => answer.json::<pages::Person>(),
                Err(error) => Err(error),
            };
            let remembered = match found {
                Ok(person) => grant.remember(person.into()).await.map_err(CallError::from),
                Err(error) => Err(error),
            };
            if let Err(error) = remembered {
                tracing::debug!(%error, "who signed in could not be written down");
            }
        })
    }

    /// Asks for leave to make the code exchange of `attempt`, for the browser that sent `request`.
    ///
    /// # Errors
    ///
    /// [`NotNow`] when there are too many, or too many were refused.
    pub(crate) fn admit_exchange(
        &self,
        request: &HttpRequest,
        attempt: &AttemptName,
    ) -> Result<Admission, NotNow> {
        // A connection without an address is none of TCP; all of those count as one.
        let peer = request
            .peer_addr()
            .map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip());
        let (headers, trusted) = (request.headers(), &self.inner.trusted_proxies);
        if browser_address::proxy_is_missing(peer, headers, trusted) {
            self.inner.proxy_is_missing.call_once(|| {
                tracing::warn!(
                    %peer,
                    "a proxy that RC_TRUSTED_PROXIES does not list seems to forward requests: all browsers \
                     behind it count as one address"
                );
            });
        }
        let from = browser_address::of(peer, headers, trusted);
        self.inner.exchanges.admit(from, attempt, self.mono())
    }

    /// The monotonic time.
    pub(crate) fn mono(&self) -> Duration {
        self.inner.environment.now().mono
    }

    /// The browser session of a request.
    pub(crate) fn session(&self, headers: &HeaderMap) -> Option<BrowserSession> {
        BrowserSession::of(headers, self.cookies(), self.now())
    }
}
