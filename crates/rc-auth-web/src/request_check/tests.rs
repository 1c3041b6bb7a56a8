use http::Request;

use super::*;
use crate::Paths;

const HTTPS: &str = "https://app.example.com/oauth/callback";
const LOCAL: &str = "http://127.0.0.1:8080/oauth/callback";

fn checked(
    redirect_uri: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> Result<(), Rejection> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let redirect_uri = RedirectUri::parse(redirect_uri, &Paths::default()).unwrap();
    check(&parts, &redirect_uri, &["/healthz".to_owned()])
}

#[test]
fn only_the_redirect_uri_s_host_and_names_of_this_machine_are_served() {
    for (host, expected) in [
        ("app.example.com", Ok(())),
        ("APP.example.com:443", Ok(())),
        ("localhost:9999", Ok(())),
        ("127.0.0.1", Ok(())),
        ("[::1]:80", Ok(())),
        ("app.example.com:8443", Err(Rejection::OtherHost)),
        ("evil.example", Err(Rejection::OtherHost)),
        ("10.0.0.1", Err(Rejection::OtherHost)),
        ("localhost.evil.example", Err(Rejection::OtherHost)),
        ("user@app.example.com", Err(Rejection::BadHost)),
        ("", Err(Rejection::BadHost)),
    ] {
        assert_eq!(
            checked(HTTPS, "GET", "/", &[("host", host)]),
            expected,
            "{host}"
        );
    }
    assert_eq!(checked(HTTPS, "GET", "/", &[]), Err(Rejection::BadHost));
    let twice = [("host", "app.example.com"), ("host", "app.example.com")];
    assert_eq!(checked(HTTPS, "GET", "/", &twice), Err(Rejection::BadHost));
}

#[test]
fn a_target_in_absolute_form_has_to_agree_with_host() {
    let target = "https://app.example.com/";
    assert_eq!(
        checked(HTTPS, "GET", target, &[]),
        Ok(()),
        "HTTP/2 has no Host"
    );
    let same = [("host", "app.example.com")];
    assert_eq!(checked(HTTPS, "GET", target, &same), Ok(()));
    let other = [("host", "evil.example")];
    assert_eq!(
        checked(HTTPS, "GET", target, &other),
        Err(Rejection::BadHost)
    );
}

#[test]
fn probes_may_name_an_ip_address_or_nothing() {
    assert_eq!(checked(HTTPS, "GET", "/healthz", &[]), Ok(()));
    assert_eq!(
        checked(HTTPS, "GET", "/healthz", &[("host", "10.0.0.1:80")]),
        Ok(())
    );
    let named = checked(HTTPS, "GET", "/healthz", &[("host", "evil.example")]);
    assert_eq!(named, Err(Rejection::OtherHost));
}

#[test]
fn forms_come_from_pages_of_the_application() {
    let foreign = Err(Rejection::ForeignForm);
    for (uri, host, header, value, expected) in [
        (
            HTTPS,
            "app.example.com",
            "sec-fetch-site",
            "same-origin",
            Ok(()),
        ),
        (
            HTTPS,
            "app.example.com",
            "sec-fetch-site",
            "same-site",
            foreign,
        ),
        (
            HTTPS,
            "app.example.com",
            "sec-fetch-site",
            "cross-site",
            foreign,
        ),
        (HTTPS, "app.example.com", "sec-fetch-site", "none", foreign),
        (
            HTTPS,
            "app.example.com",
            "origin",
            "https://app.example.com",
            Ok(()),
        ),
        (
            HTTPS,
            "app.example.com",
            "origin",
            "http://app.example.com",
            foreign,
        ),
        (HTTPS, "app.example.com", "origin", "null", foreign),
        (
            LOCAL,
            "localhost:9000",
            "origin",
            "http://localhost:9000",
            Ok(()),
        ),
        (
            LOCAL,
            "localhost:9000",
            "origin",
            "http://evil.example",
            foreign,
        ),
        (LOCAL, "localhost:9000", "accept", "*/*", Ok(())),
    ] {
        let headers = [("host", host), (header, value)];
        assert_eq!(
            checked(uri, "POST", "/logout", &headers),
            expected,
            "{header}: {value}"
        );
        assert_eq!(
            checked(uri, "GET", "/logout", &headers),
            Ok(()),
            "{header}: {value}"
        );
    }
}
