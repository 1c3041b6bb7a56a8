//! The next request of a redirect that may be followed.

use http::{
    HeaderMap, Method, StatusCode,
    header::{
        CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE,
        LOCATION, TRANSFER_ENCODING,
    },
};
use url::Url;

/// Where the answer points to, if that is a redirect on the same scheme, host and port.
pub(crate) fn same_origin_target(
    from: &Url,
    status: StatusCode,
    headers: &HeaderMap,
) -> Option<Url> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let target = from.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
    let stays = target.origin() == from.origin()
        && target.username().is_empty()
        && target.password().is_none();
    stays.then_some(target)
}

/// Whether the next request is a GET without body instead of a repetition (RFC 9110 section 15.4).
pub(crate) fn becomes_get(status: StatusCode, method: &Method) -> bool {
    match status {
        StatusCode::SEE_OTHER => method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::POST,
        _ => false,
    }
}

/// Removes the headers that speak about a body that is no longer sent.
pub(crate) fn remove_content_headers(headers: &mut HeaderMap) {
    for name in [
        CONTENT_ENCODING,
        CONTENT_LANGUAGE,
        CONTENT_LENGTH,
        CONTENT_LOCATION,
        CONTENT_TYPE,
        TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(status: u16, location: &str) -> Option<String> {
        let from = Url::parse("https://platform.example.com/restapi/a?b=c").unwrap();
        let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        same_origin_target(&from, StatusCode::from_u16(status).unwrap(), &headers).map(String::from)
    }

    #[test]
    fn only_redirects_on_the_same_origin_have_a_target() {
        assert_eq!(target(302, "/x").unwrap(), "https://platform.example.com/x");
        assert_eq!(
            target(308, "b?d").unwrap(),
            "https://platform.example.com/restapi/b?d"
        );
        assert_eq!(
            target(307, "https://platform.example.com:443/").unwrap(),
            "https://platform.example.com/"
        );
        for elsewhere in [
            "http://platform.example.com/",
            "https://example.com/",
            "//example.com/",
            "https://platform.example.com:8443/",
            "https://platform.example.com@example.com/",
            "https://user@platform.example.com/",
            "javascript:alert(1)",
            "https://[",
        ] {
            assert_eq!(target(302, elsewhere), None, "{elsewhere}");
        }
        for status in [200, 201, 300, 304, 305, 306, 401] {
            assert_eq!(target(status, "/x"), None, "{status}");
        }
    }

    #[test]
    fn a_redirect_without_location_has_no_target() {
        let from = Url::parse("https://platform.example.com/").unwrap();
        assert_eq!(
            same_origin_target(&from, StatusCode::FOUND, &HeaderMap::new()),
            None
        );
    }

    #[test]
    fn methods_change_as_rfc_9110_says() {
        for (status, method, get) in [
            (301, Method::POST, true),
            (301, Method::PUT, false),
            (302, Method::POST, true),
            (302, Method::HEAD, false),
            (303, Method::POST, true),
            (303, Method::DELETE, true),
            (303, Method::HEAD, false),
            (307, Method::POST, false),
            (308, Method::POST, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(becomes_get(status, &method), get, "{status} {method}");
        }
    }
}
