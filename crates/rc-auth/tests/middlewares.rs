//! Clients that are not this crate's, authorized by a grant.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

mod support;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use rc_auth::{
    AuthBudget, AuthorizeLayer, AuthorizeMiddleware, CallError, Client, Grant, OAuthApp, Secret,
    store::{KeyRing, MemoryStore},
    transport::{HttpClient as _, Outgoing},
};
use rc_sim::{Config, Server, SimClient};
use support::{CALLBACK, ME, World};
use tower_layer::Layer as _;
use tower_service::Service;

const ADDRESS: &str = "https://platform.example.com/restapi/v1.0/account/~/extension/~";

/// A client that is nobody's: it sends what it is given to the simulated platform, and counts.
#[derive(Clone)]
struct Plain {
    sim: Arc<SimClient>,
    sent: Arc<AtomicUsize>,
}

impl Service<Request<Bytes>> for Plain {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let Self { sim, sent } = self.clone();
        sent.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let incoming = sim.send(Outgoing::new(request)).await.unwrap();
            let mut response = Response::new(incoming.body);
            *response.status_mut() = incoming.status;
            *response.headers_mut() = incoming.headers;
            Ok(response)
        })
    }
}

fn get(address: &str) -> Request<Bytes> {
    Request::get(address).body(Bytes::new()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_layer_authorizes_and_replaces_a_refused_token_once() {
    let world = World::new();
    let grant = world.sign_in().await;
    let plain = Plain {
        sim: world.sim_transport(),
        sent: Arc::default(),
    };
    let mut client = AuthorizeLayer::new(grant.clone()).layer(plain.clone());
    assert_eq!(
        client.call(get(ADDRESS)).await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(plain.sent.load(Ordering::SeqCst), 1);

    world.expire_access_tokens();
    assert_eq!(
        client.call(get(ADDRESS)).await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(plain.sent.load(Ordering::SeqCst), 3);
    assert_eq!(world.counters().token_refresh.received, 1);

    // Nothing else is sent again.
    let absent = client
        .call(get("https://platform.example.com/restapi/v1.0/nowhere"))
        .await;
    assert_eq!(absent.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(plain.sent.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn a_layer_sends_nothing_to_other_hosts_or_without_a_sign_in() {
    let world = World::new();
    let grant = world.sign_in().await;
    let plain = Plain {
        sim: world.sim_transport(),
        sent: Arc::default(),
    };
    let mut client = AuthorizeLayer::new(grant.clone()).layer(plain.clone());
    for address in [
        "https://example.com/",
        "https://platform.example.com.evil.example/",
        "/relative",
    ] {
        let error = client.call(get(address)).await.unwrap_err();
        let refused = error.downcast_ref::<CallError>();
        assert!(
            matches!(refused, Some(CallError::ForeignAddress)),
            "{address}: {error}"
        );
    }
    assert_eq!(plain.sent.load(Ordering::SeqCst), 0);
    grant.sign_out().await.unwrap();
    let before = plain.sent.load(Ordering::SeqCst);
    let error = client.call(get(ADDRESS)).await.unwrap_err();
    assert!(
        matches!(error.downcast_ref::<CallError>(), Some(CallError::Grant(_))),
        "{error}"
    );
    assert_eq!(plain.sent.load(Ordering::SeqCst), before);
}

/// A platform on a real port, and a grant of its demo user.
async fn on_a_port() -> (Server, Grant) {
    let config = Config::demo(7, CALLBACK);
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), config)
        .await
        .unwrap();
    let registered = server
        .platform()
        .config()
        .confidential_app()
        .unwrap()
        .clone();
    let secret = registered.client_secret().map(Secret::new);
    let app = OAuthApp::new(registered.client_id(), secret, CALLBACK, &server.base_url());
    let client = Client::builder(app.unwrap())
        .store(MemoryStore::new(), KeyRing::generate("k1").unwrap())
        .auth_budget(AuthBudget::Off)
        .build()
        .unwrap();
    let sign_in = client.begin_sign_in().unwrap();
    let callback = {
        let now = server.now();
        let mut platform = server.platform();
        platform.enable_limits(false);
        let login = platform.config().demo_user().unwrap().login.clone();
        platform.sign_in(&sign_in.url, &login, now).unwrap()
    };
    let grant = client
        .finish_sign_in(sign_in.pending, callback.query())
        .await;
    (server, grant.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn reqwest_authorizes_and_replaces_a_refused_token_once() {
    // What a program does once that uses reqwest with rustls and no provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (server, grant) = on_a_port().await;
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
        .with(AuthorizeMiddleware::new(grant.clone()))
        .build();
    let address = format!("{}{ME}", server.base_url());
    assert_eq!(client.get(&address).send().await.unwrap().status(), 200);
    let now = server.now();
    server.platform().expire_access_tokens(now);
    let answers =
        futures_util::future::join_all((0..10).map(|_| client.get(&address).send())).await;
    assert!(
        answers
            .into_iter()
            .all(|answer| answer.unwrap().status() == 200)
    );
    let now = server.now();
    assert_eq!(server.platform().counters(now).token_refresh.received, 1);

    let foreign = client.get("http://127.0.0.1:1/").send().await.unwrap_err();
    assert!(
        format!("{foreign:?} {foreign}").contains("the platform"),
        "{foreign:?}"
    );
    server.shutdown().await;
}
