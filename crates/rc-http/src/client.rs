//! The client on reqwest.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use reqwest::{redirect, retry};

use crate::{
    BoxFuture, Delivery, FailureKind, HttpClient, Incoming, Opened, Opening, Outgoing,
    TransportError,
    address::Address,
    open::open,
    send::send,
    tls::{NoTrust, Tls},
};

/// [`HttpClient`] on reqwest: HTTP/1.1 and HTTP/2, TLS by rustls with the certificates the platform trusts.
///
/// Cloning is cheap, and clones share their connections. Needs a tokio runtime with time and I/O enabled.
///
/// - `https` goes anywhere, by the proxies that the environment names (`HTTPS_PROXY`, `NO_PROXY`);
///   `http` goes to the own machine only. Nothing on the own machine is asked of a proxy.
/// - On a machine without CA certificates it still speaks plain http to the own machine; https fails with an
///   error that says what to install. [`ensure_https`](Self::ensure_https) finds that out at start-up.
/// - Nothing is retried, and connections are reused only while that is safe: a request that meets a
///   connection which the server has already closed moves to a new one if no byte of it was written,
///   and is [`Delivery::MaybeSent`] otherwise.
#[derive(Clone, Debug)]
pub struct ReqwestClient {
    /// For the own machine: no proxy.
    direct: reqwest::Client,
    /// For everywhere else: proxies of the environment.
    outbound: reqwest::Client,
    no_trust: Option<Arc<NoTrust>>,
    settings: Arc<Settings>,
}

/// What another client is made of.
#[derive(Clone, Debug)]
struct Settings {
    builder: ReqwestClientBuilder,
    tls: rustls::ClientConfig,
}

impl ReqwestClient {
    /// A client with the defaults of its [builder](Self::builder).
    ///
    /// # Errors
    ///
    /// [`BuildError`] when TLS or the client cannot be set up. That the machine has no CA certificates is
    /// not such a case.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// Options, then a client.
    pub fn builder() -> ReqwestClientBuilder {
        ReqwestClientBuilder::default()
    }

    /// Another client with the same settings, and with connections of its own: what is sent by one waits for nothing
    /// that the other sends. The certificates are loaded once for both.
    ///
    /// ```
    /// use rc_http::ReqwestClient;
    ///
    /// let for_calls = ReqwestClient::new()?;
    /// let for_tokens = for_calls.apart()?;
    /// # Ok::<(), rc_http::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`BuildError`] when the client cannot be set up.
    pub fn apart(&self) -> Result<Self, BuildError> {
        Self::of(self.settings.clone(), self.no_trust.clone())
    }

    fn of(settings: Arc<Settings>, no_trust: Option<Arc<NoTrust>>) -> Result<Self, BuildError> {
        let built = |builder: reqwest::ClientBuilder| {
            builder
                .build()
                .map_err(|error| BuildError::new("the HTTP client", error.without_url()))
        };
        let with_tls = || settings.builder.reqwest(settings.tls.clone());
        Ok(Self {
            direct: built(with_tls().no_proxy())?,
            outbound: built(with_tls().https_only(true))?,
            no_trust,
            settings,
        })
    }

    /// Says whether https can be used at all. A program that needs https asks once when it starts.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when the machine has no CA certificates; the text says what to install.
    pub fn ensure_https(&self) -> Result<(), BuildError> {
        match &self.no_trust {
            None => Ok(()),
            Some(no_trust) => Err(BuildError::new("https", Arc::clone(no_trust))),
        }
    }

    /// The client for an address.
    fn for_address(&self, address: &Address) -> Result<&reqwest::Client, TransportError> {
        match &self.no_trust {
            Some(no_trust) if address.is_https() => Err(address
                .failure(Delivery::NotSent, FailureKind::Connect)
                .with_source(Arc::clone(no_trust))),
            _ if address.loopback => Ok(&self.direct),
            _ => Ok(&self.outbound),
        }
    }
}

impl HttpClient for ReqwestClient {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        Box::pin(async move {
            let address = Address::of(&outgoing.request)?;
            let client = self.for_address(&address)?;
            send(client, &address, outgoing).await
        })
    }

    fn open(&self, opening: Opening) -> BoxFuture<'_, Result<Opened, TransportError>> {
        Box::pin(async move {
            let address = Address::of(&opening.request)?;
            let client = self.for_address(&address)?;
            open(client, address, opening).await
        })
    }
}

/// Options of a [`ReqwestClient`].
///
/// ```
/// use std::time::Duration;
///
/// use rc_http::ReqwestClient;
///
/// let client = ReqwestClient::builder()
///     .user_agent("example-app/1.2")
///     .connect_timeout(Duration::from_secs(3))
///     .build()?;
/// # Ok::<(), rc_http::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ReqwestClientBuilder {
    user_agent: String,
    connect_timeout: Duration,
    #[cfg(test)]
    pub(crate) http2_prior_knowledge: bool,
}

impl ReqwestClientBuilder {
    /// 5 s: a handshake with another continent takes well under one, and whoever waits longer is better
    /// told so while the request is known to be unsent.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

    /// Connections idle for longer are closed. Common load balancers close theirs after 60 s; a request
    /// written to a connection in that moment would be [`Delivery::MaybeSent`] for nothing.
    const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(45);

    /// Replaces the `User-Agent` header, `rc-http/VERSION` by default. Requests that bring their own keep it.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Replaces the time to resolve the name, connect and finish the TLS handshake,
    /// [`Self::DEFAULT_CONNECT_TIMEOUT`] by default.
    ///
    /// When it passes, the request is known to be unsent; when [`Outgoing::deadline`] passes first, that is
    /// not known. So keep it below the deadline.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Loads the platform's certificates and makes the client.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when the user agent is not a header value, or TLS cannot be set up.
    pub fn build(self) -> Result<ReqwestClient, BuildError> {
        let Tls {
            mut config,
            no_trust,
        } = Tls::of_platform().map_err(|error| BuildError::new("TLS", error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let settings = Settings {
            builder: self,
            tls: config,
        };
        ReqwestClient::of(Arc::new(settings), no_trust.map(Arc::new))
    }

    fn reqwest(&self, tls: rustls::ClientConfig) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(self.user_agent.as_str())
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(Self::POOL_IDLE_TIMEOUT)
            .tcp_nodelay(true)
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never());
        #[cfg(test)]
        if self.http2_prior_knowledge {
            return builder.http2_prior_knowledge();
        }
        builder
    }
}

impl Default for ReqwestClientBuilder {
    fn default() -> Self {
        Self {
            user_agent: concat!("rc-http/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
            #[cfg(test)]
            http2_prior_knowledge: false,
        }
    }
}

/// A [`ReqwestClient`] cannot be used as it has to be.
#[derive(thiserror::Error)]
#[error("cannot set up {what}")]
pub struct BuildError {
    what: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

/// The sentence of `Display` and those of its causes, which `main` prints by `Debug` where it returns this error.
impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut cause = Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl BuildError {
    fn new(what: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            what,
            source: source.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_main_prints_of_an_error_names_every_cause() {
        let cause = std::io::Error::other("the store of certificates is empty");
        let error = BuildError::new("https", cause);
        assert_eq!(
            format!("{error:?}"),
            "cannot set up https: the store of certificates is empty"
        );
    }
}
