//! The adapters for axum and actix: the same requests, the same answers.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

mod support;

use std::time::Duration;

use actix_web::{body::MessageBody as _, test};
use axum::{Router, extract::connect_info::MockConnectInfo};
use http::{
    HeaderMap, Method, Request, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, LOCATION, RETRY_AFTER, SET_COOKIE},
};
use http_body_util::BodyExt as _;
use rc_auth::{CallError, Timestamp};
use rc_auth_web::{MaybeSignedIn, Problem, SignedIn, WebAuth};
use support::{Browser, Sessions, World};
use tower::ServiceExt as _;

const OWN: &str = "127.0.0.1:8080";

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: impl http::header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

async fn me(me: SignedIn) -> String {
    me.form_token().as_str().to_owned()
}

async fn anybody(MaybeSignedIn(somebody): MaybeSignedIn) -> String {
    somebody.is_some().to_string()
}

async fn busy() -> Result<String, Problem> {
    Err(CallError::RateLimited {
        group: None,
        retry_at: Timestamp::from_unix_millis(i64::MAX / 2),
        refusal: None,
    }
    .into())
}

fn axum_router() -> Router {
    use axum::routing::{get, post};
    let router = Router::new().route("/me", get(me).post(me));
    let router = router.route("/anybody", get(anybody));
    router.route("/busy", post(busy).get(busy))
}

/// `from`: the server knows who connected.
async fn by_axum(auth: &WebAuth, request: Request<String>, from: bool) -> Answer {
    let router = axum_router().merge(rc_auth_web::axum::routes(auth));
    let mut router = router.layer(rc_auth_web::axum::layer(auth));
    if from {
        router = router.layer(MockConnectInfo(std::net::SocketAddr::from((
            [203, 0, 113, 5],
            4711,
        ))));
    }
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn by_actix(auth: &WebAuth, request: Request<String>, from: bool) -> Answer {
    use actix_web::web;
    let app = actix_web::App::new()
        .wrap(rc_auth_web::actix::middleware(auth))
        .configure(rc_auth_web::actix::routes(auth))
        .route("/me", web::get().to(me))
        .route("/me", web::post().to(me))
        .route("/anybody", web::get().to(anybody))
        .route("/busy", web::to(busy));
    let app = test::init_service(app).await;
    let (parts, body) = request.into_parts();
    let method = parts.method.as_str().parse().unwrap();
    let mut copy = test::TestRequest::with_uri(&parts.uri.to_string()).method(method);
    for (name, value) in &parts.headers {
        copy = copy.append_header((name.as_str(), value.as_bytes()));
    }
    if from {
        copy = copy.peer_addr(([203, 0, 113, 5], 4711).into());
    }
    let response = test::call_service(&app, copy.set_payload(body).to_request()).await;
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers() {
        let name = http::HeaderName::from_bytes(name.as_str().as_bytes()).unwrap();
        headers.append(
            name,
            http::HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap();
    let body = response.into_body().try_into_bytes().ok().unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer {
        status,
        headers,
        body,
    }
}

/// What each framework answers.
async fn both(auth: &WebAuth, request: impl Fn() -> Request<String>) -> [Answer; 2] {
    [
        by_axum(auth, request(), true).await,
        by_actix(auth, request(), true).await,
    ]
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<String> {
    let mut request = Request::builder().method(method).uri(path);
    if headers.iter().all(|(name, _)| *name != "host") {
        request = request.header(HOST, OWN);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_owned()).unwrap()
}

fn get(path: &str, headers: &[(&str, &str)]) -> Request<String> {
    request(Method::GET, path, headers, "")
}

fn cookies_of(browser: &Browser) -> String {
    let parts = browser.get("/");
    parts.headers[COOKIE].to_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_address_is_served_nothing_and_says_what_to_do() {
    let world = World::new(Sessions::Sealed);
    let nobody = || get("/anybody", &[]);
    let axum = by_axum(&world.auth, nobody(), false).await;
    assert!(
        axum.body.contains("into_make_service_with_connect_info"),
        "{axum:?}"
    );
    let actix = by_actix(&world.auth, nobody(), false).await;
    assert!(actix.body.contains("TCP port"), "{actix:?}");
    assert_eq!(
        [axum.status, actix.status],
        [StatusCode::INTERNAL_SERVER_ERROR; 2]
    );
}

#[tokio::test(start_paused = true)]
async fn other_hosts_and_forms_of_other_sites_reach_no_handler() {
    let world = World::new(Sessions::Sealed);
    for answer in both(&world.auth, || {
        get("/anybody", &[("host", "rebound.example")])
    })
    .await
    {
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
        assert!(answer.body.contains("redirect URI"), "{answer:?}");
        assert_eq!(answer.header("x-frame-options"), "DENY");
    }
    let foreign = || {
        request(
            Method::POST,
            "/busy",
            &[("sec-fetch-site", "cross-site")],
            "",
        )
    };
    for answer in both(&world.auth, foreign).await {
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    }
    for answer in both(&world.auth, || get("/absent", &[])).await {
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.header("x-frame-options"), "DENY", "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_sent_to_the_sign_in_by_browser_and_told_so_as_a_program() {
    let world = World::new(Sessions::Sealed);
    let html = (ACCEPT.as_str(), "text/html,*/*;q=0.8");
    for answer in both(&world.auth, || get("/me?a=b", &[html])).await {
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header(LOCATION), "/login?return_to=%2Fme%3Fa%3Db");
    }
    for ask in [
        || get("/me", &[]),
        || request(Method::POST, "/me", &[("accept", "text/html")], ""),
    ] {
        for answer in both(&world.auth, ask).await {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.header(CONTENT_TYPE), "application/json");
            assert!(answer.body.contains("\"sign_in_needed\""), "{answer:?}");
        }
    }
    for answer in both(&world.auth, || get("/anybody", &[])).await {
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::OK, "false")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_a_503_that_says_when_to_come_back() {
    let world = World::new(Sessions::Sealed);
    for (accept, media_type) in [("text/html", "text/html"), ("*/*", "application/json")] {
        for answer in both(&world.auth, || get("/busy", &[("accept", accept)])).await {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(
                answer.header(CONTENT_TYPE).starts_with(media_type),
                "{answer:?}"
            );
            assert!(answer.header(RETRY_AFTER).parse::<u64>().unwrap() > 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_active_session_is_prolonged_and_a_signed_out_one_is_not() {
    let world = World::new(Sessions::Sealed);
    for by in [0, 1] {
        let mut browser = Browser::default();
        world.sign_in(&mut browser).await;
        let cookies = cookies_of(&browser);
        world.pass(Duration::from_secs(24 * 60 * 60)).await;

        let answers = both(&world.auth, || get("/me", &[("cookie", &cookies)])).await;
        for answer in &answers {
            assert_eq!(answer.status, StatusCode::OK);
            assert!(
                answer.header(SET_COOKIE).starts_with("rc_session="),
                "{answer:?}"
            );
        }
        let form = format!("form_token={}", answers[by].body);
        let headers = [
            ("cookie", cookies.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let wrong = || request(Method::POST, "/logout", &headers, "form_token=x");
        for answer in both(&world.auth, wrong).await {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
        }
        let out = request(Method::POST, "/logout", &headers, &form);
        let answer = match by {
            0 => by_axum(&world.auth, out, true).await,
            _ => by_actix(&world.auth, out, true).await,
        };
        let set: Vec<_> = answer.headers.get_all(SET_COOKIE).into_iter().collect();
        assert_eq!(
            (answer.status, set.len()),
            (StatusCode::SEE_OTHER, 1),
            "{answer:?}"
        );
        assert!(set[0].to_str().unwrap().contains("Max-Age=0"), "{set:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_mounted_routes_start_a_sign_in_and_explain_a_callback_that_failed() {
    let world = World::new(Sessions::Sealed);
    for answer in both(&world.auth, || get("/login", &[])).await {
        assert_eq!(answer.status, StatusCode::FOUND);
        assert!(
            answer
                .header(LOCATION)
                .starts_with("https://platform.example.com/"),
            "{answer:?}"
        );
    }
    for answer in both(&world.auth, || {
        get("/oauth/callback?code=a&state=foreign", &[])
    })
    .await
    {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(
            answer.body.contains("href=\"/login?return_to=%2F\""),
            "{answer:?}"
        );
        assert!(!answer.headers.contains_key(SET_COOKIE));
    }
    for answer in both(&world.auth, || request(Method::POST, "/login", &[], "")).await {
        assert_eq!(
            (answer.status, answer.header("allow")),
            (StatusCode::METHOD_NOT_ALLOWED, "GET")
        );
    }
}
