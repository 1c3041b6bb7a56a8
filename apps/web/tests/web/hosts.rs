//! Host names: which are served, and that the others get nowhere.

use crate::stage::{Answer, Stage, exchange, exchange_raw};

async fn get(stage: &Stage, target: &str, host: &str) -> Answer {
    exchange(stage.address(), "GET", target, &[("host", host)], "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_this_machine_and_of_the_redirect_uri_are_served() {
    let uri = "https://app.example.com/oauth/callback";
    let stage = Stage::start_with(
        |config| {
            let register = |app: &mut rc_sim::App| app.redirect_uris = vec![uri.to_owned()];
            config.apps.iter_mut().for_each(register);
        },
        |variables| drop(variables.insert("RC_REDIRECT_URI", uri.to_owned())),
    )
    .await;
    for (host, status) in [
        ("app.example.com", 200),
        ("APP.example.com", 200),
        ("app.example.com:443", 200),
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("127.0.0.1:9999", 200),
        ("127.8.8.8", 200),
        ("[::1]:8080", 200),
        ("app.example.com:8443", 421),
        ("app.example.com:80", 421),
        ("app.example.com.", 421),
        ("evil.example", 421),
        ("evil.example:443", 421),
        ("www.app.example.com", 421),
        ("app.example.com.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.7", 421),
        ("0.0.0.0", 421),
        ("[2001:db8::7]", 421),
        ("2130706433", 421),
        ("", 400),
        ("app.example.com@evil.example", 400),
        ("evil.example@app.example.com", 400),
        ("app.example.com/evil", 400),
        ("app.example.com, evil.example", 400),
    ] {
        assert_eq!(get(&stage, "/", host).await.status, status, "{host:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_rebinds_its_name_reaches_no_route() {
    let stage = Stage::start().await;
    let mut browser = stage.signed_in().await;
    let cookies = browser.cookie_header();
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/login"),
        ("GET", "/me"),
        ("GET", "/call"),
        ("GET", "/logout"),
        ("GET", "/nowhere"),
        ("GET", "/oauth/callback?state=x&code=y"),
        ("POST", "/refresh"),
        ("POST", "/logout"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
    ] {
        let host = format!("evil.example:{}", stage.address().port());
        let headers = [
            ("host", host.as_str()),
            ("cookie", &cookies),
            ("sec-fetch-site", "same-origin"),
        ];
        let answer = exchange(stage.address(), method, target, &headers, "").await;
        assert_eq!(answer.status, 421, "{target}");
        assert_eq!(answer.header("set-cookie"), None, "{target}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{target}");
        assert!(!answer.body.contains("evil"), "{target}: {}", answer.body);
    }
    assert_eq!(browser.get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn load_balancers_may_ask_probes_by_ip_address_or_without_a_name() {
    let stage = Stage::start().await;
    for target in ["/healthz", "/readyz"] {
        for host in ["192.0.2.7:8080", "[2001:db8::7]:8080"] {
            assert_eq!(
                get(&stage, target, host).await.status,
                200,
                "{target} {host}"
            );
        }
        let old = format!("GET {target} HTTP/1.0\r\n\r\n");
        assert_eq!(
            exchange_raw(stage.address(), &old).await.status,
            200,
            "{target}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_repeated_or_contradicted_host_is_refused() {
    let stage = Stage::start().await;
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nconnection: close\r\nhost: localhost\r\nhost: evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nconnection: close\r\nhost: localhost\r\nhost: localhost\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nconnection: close\r\nhost: localhost\r\n\r\n",
    ] {
        let answer = exchange_raw(stage.address(), request).await;
        assert_eq!(answer.status, 400, "{request:?}");
    }
    let absolute = "GET http://localhost/ HTTP/1.1\r\nconnection: close\r\nhost: localhost\r\n\r\n";
    assert_eq!(exchange_raw(stage.address(), absolute).await.status, 200);
}
