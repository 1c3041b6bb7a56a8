//! Where a redirect may take a request.

#![allow(clippy::unwrap_used, reason = "a test that cannot start has failed")]

mod common;

use common::{get, post};
use http::StatusCode;
use rc_http::{HttpClient, Outgoing, Redirects, ReqwestClient};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{any, path},
};

const ALL: [u16; 5] = [301, 302, 303, 307, 308];

async fn server(status: u16, location: &str) -> MockServer {
    let server = MockServer::start().await;
    let redirect = ResponseTemplate::new(status).insert_header("location", location);
    Mock::given(path("/token"))
        .respond_with(redirect)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_string("arrived"))
        .mount(&server)
        .await;
    server
}

async fn send(outgoing: Outgoing, redirects: Redirects) -> StatusCode {
    let client = ReqwestClient::new().unwrap();
    client
        .send(outgoing.redirects(redirects))
        .await
        .unwrap()
        .status
}

async fn received(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

#[tokio::test]
async fn no_redirect_is_followed_when_they_are_refused() {
    for status in ALL {
        let server = server(status, "/next").await;
        let answer = send(post(&format!("{}/token", server.uri())), Redirects::Refuse).await;
        assert_eq!(answer, status);
        assert_eq!(
            received(&server).await.len(),
            1,
            "{status}: the body went out once"
        );
    }
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_handed_to_the_caller() {
    for status in ALL {
        let elsewhere = MockServer::start().await;
        let server = server(status, &format!("{}/steal", elsewhere.uri())).await;
        let answer = send(
            post(&format!("{}/token", server.uri())),
            Redirects::SameOrigin,
        )
        .await;
        assert_eq!(answer, status);
        assert!(received(&elsewhere).await.is_empty(), "{status}");
    }
}

#[tokio::test]
async fn the_same_port_under_another_name_is_another_origin() {
    let server = MockServer::start().await;
    let location = format!("http://localhost:{}/next", server.address().port());
    let redirect = ResponseTemplate::new(302).insert_header("location", location.as_str());
    Mock::given(any())
        .respond_with(redirect)
        .mount(&server)
        .await;
    assert_eq!(send(get(&server.uri()), Redirects::SameOrigin).await, 302);
    assert_eq!(received(&server).await.len(), 1);
}

#[tokio::test]
async fn on_the_same_origin_307_and_308_repeat_method_headers_and_body() {
    for status in [307, 308] {
        let server = server(status, "/next?page=2").await;
        let mut outgoing = post(&format!("{}/token", server.uri()));
        outgoing
            .request
            .headers_mut()
            .insert("authorization", "Bearer sample".parse().unwrap());
        assert_eq!(send(outgoing, Redirects::SameOrigin).await, 200);
        let second = received(&server).await.swap_remove(1);
        assert_eq!(
            (second.method.as_str(), second.url.path()),
            ("POST", "/next")
        );
        assert_eq!(second.url.query(), Some("page=2"));
        assert_eq!(second.body, b"grant_type=refresh_token");
        assert_eq!(second.headers["authorization"], "Bearer sample");
    }
}

#[tokio::test]
async fn on_the_same_origin_301_302_and_303_turn_a_post_into_a_get_without_body() {
    for status in [301, 302, 303] {
        let server = server(status, "/next").await;
        assert_eq!(
            send(
                post(&format!("{}/token", server.uri())),
                Redirects::SameOrigin
            )
            .await,
            200
        );
        let second = received(&server).await.swap_remove(1);
        assert_eq!(
            (second.method.as_str(), second.body.len()),
            ("GET", 0),
            "{status}"
        );
        assert!(!second.headers.contains_key("content-type"));
    }
}

#[tokio::test]
async fn a_loop_ends_after_five_redirects_with_the_sixth() {
    let server = server(302, "/token").await;
    assert_eq!(
        send(
            get(&format!("{}/token", server.uri())),
            Redirects::SameOrigin
        )
        .await,
        302
    );
    assert_eq!(received(&server).await.len(), 1 + Redirects::MAX_HOPS);
}

#[tokio::test]
async fn a_redirect_without_a_usable_location_is_an_answer() {
    let server = server(302, "http://[").await;
    assert_eq!(
        send(
            get(&format!("{}/token", server.uri())),
            Redirects::SameOrigin
        )
        .await,
        302
    );
}
