//! What every request handler shares.

use std::{
    future::{Future, poll_fn},
    net::{IpAddr, Ipv6Addr},
    pin::pin,
    sync::{Arc, Once},
    time::Duration,
};

use actix_web::{HttpRequest, http::header::HeaderMap, web};
use rc_auth::{AttemptName, Client, Clock, Timestamp, store::TokenStore};
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    browser_address,
    code_exchanges::{Admission, CodeExchanges, NotNow},
    config::{CallbackLimit, RedirectUri, TrustedProxies},
    cookies::Cookies,
    session::BrowserSession,
};

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
    clock: Arc<dyn Clock>,
    form_limit: Duration,
    runtime: Handle,
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
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How long the body of a form may take to arrive.
    pub form_limit: Duration,
    /// How many refused code exchanges an address may cause.
    pub callback_limit: Option<CallbackLimit>,
    /// Whose word about the browser's address is believed.
    pub trusted_proxies: TrustedProxies,
}

impl Application {
    /// Puts the parts together. Call it inside the runtime that outlives the web server: work that must
    /// not end with a request or a worker runs there.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            client,
            store,
            cookies,
            redirect_uri,
            platform,
            clock,
            form_limit,
            callback_limit,
            trusted_proxies,
        } = parts;
        let runtime = Handle::current();
        let inner = Inner {
            client,
            store,
            cookies,
            redirect_uri,
            platform,
            clock,
            form_limit,
            runtime,
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
        self.inner.clock.wall()
    }

    /// Runs `future` here, with everything it spawns going to the runtime that outlives requests and
    /// workers: a worker that stops would take a refresh between "sent" and "saved" with it.
    pub(crate) async fn in_runtime<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _inside = self.inner.runtime.enter();
            future.as_mut().poll(context)
        })
        .await
    }

    /// Spawns `future` on that runtime. It ends by itself, also if the handle is dropped.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.inner.runtime.spawn(future)
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
        self.inner.clock.now().mono
    }

    /// The browser session of a request.
    pub(crate) fn session(&self, headers: &HeaderMap) -> Option<BrowserSession> {
        BrowserSession::of(headers, self.cookies(), self.now())
    }
}
