//! A client whose platform answers at once, and whose users are signed in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use rc_auth::{
    AuthBudget, Client, Grant, GrantKey, OAuthApp, Secret,
    store::MemoryStore,
    transport::{BoxFuture, HttpClient, Incoming, Outgoing, Redirects, TransportError},
};

pub(crate) const PATH: &str = "/restapi/v1.0/account/~/extension/~";
const ADDRESS: &str = "https://platform.example.com/restapi/v1.0/account/~/extension/~";

/// Answers every call with the same small document, and every token request with a new pair.
#[derive(Debug)]
pub(crate) struct Instantly {
    headers: HeaderMap,
    body: Bytes,
    tokens: AtomicU64,
}

impl Instantly {
    fn new() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert("x-rate-limit-group", HeaderValue::from_static("light"));
        Self {
            headers,
            body: Bytes::from_static(br#"{"id":1,"name":"Ada Example","extensionNumber":"101"}"#),
            tokens: AtomicU64::new(1),
        }
    }

    fn pair(&self) -> Bytes {
        let number = self.tokens.fetch_add(1, Ordering::Relaxed);
        let pair = serde_json::json!({
            "access_token": format!("access-{number:0>120}"), "token_type": "bearer", "expires_in": 3600,
            "refresh_token": format!("refresh-{number:0>120}"), "refresh_token_expires_in": 604_800,
            "owner_id": number.to_string(), "scope": "ReadAccounts",
        });
        pair.to_string().into()
    }
}

impl HttpClient for Instantly {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        let is_token_request = outgoing.request.method() == Method::POST;
        let body = if is_token_request {
            self.pair()
        } else {
            self.body.clone()
        };
        let incoming = Incoming::new(StatusCode::OK, self.headers.clone(), body);
        Box::pin(std::future::ready(Ok(incoming)))
    }
}

/// What a caller would write without a library: the same request with a header that is there.
pub(crate) struct ByHand {
    transport: Arc<Instantly>,
    uri: Uri,
    token: HeaderValue,
}

impl ByHand {
    pub(crate) async fn call(&self) -> Result<Incoming, TransportError> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.token.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let outgoing = Outgoing::new(request)
            .deadline(Duration::from_secs(30))
            .max_body(16 * 1024 * 1024)
            .redirects(Redirects::SameOrigin);
        self.transport.send(outgoing).await
    }
}

pub(crate) struct Stage {
    pub(crate) client: Client,
    transport: Arc<Instantly>,
    store: Arc<MemoryStore>,
}

impl Stage {
    /// With room for this many live grants.
    pub(crate) fn new(live_grants: usize) -> Self {
        let transport = Arc::new(Instantly::new());
        let store = Arc::new(MemoryStore::new());
        Self::over(store, transport, live_grants)
    }

    /// Another process of the same application: it knows nothing of what this one does.
    #[allow(dead_code, reason = "not every program needs it")]
    pub(crate) fn beside(&self, live_grants: usize) -> Self {
        Self::over(self.store.clone(), self.transport.clone(), live_grants)
    }

    fn over(store: Arc<MemoryStore>, transport: Arc<Instantly>, live_grants: usize) -> Self {
        let secret = Some(Secret::new("example-secret"));
        let app = OAuthApp::new(
            "example-client",
            secret,
            "https://app.example.com/oauth/callback",
            "https://platform.example.com",
        );
        let client = Client::builder(app.expect("an app"))
            // Sealing is measured with the stores; here it would only make a million sign-ins slower.
            .clear_text_store(store.clone())
            .transport(transport.clone())
            .auth_budget(AuthBudget::Off)
            .live_grants(live_grants.max(1000))
            .without_keep_alive()
            .build()
            .expect("a client");
        Self {
            client,
            transport,
            store,
        }
    }

    pub(crate) async fn sign_in(&self, number: usize) -> Grant {
        let jwt = Secret::new("header.claims.signature");
        let grant = self
            .client
            .sign_in_with_jwt(Self::key(number), jwt)
            .await
            .expect("a sign-in");
        grant.access_token().await.expect("a token");
        grant
    }

    pub(crate) fn key(number: usize) -> GrantKey {
        GrantKey::new(format!("user-{number}"))
    }

    pub(crate) fn by_hand(&self) -> ByHand {
        let token = format!("Bearer access-{:0>120}", 0);
        let mut token = HeaderValue::try_from(token).expect("a header");
        token.set_sensitive(true);
        ByHand {
            transport: self.transport.clone(),
            uri: Uri::from_static(ADDRESS),
            token,
        }
    }
}
