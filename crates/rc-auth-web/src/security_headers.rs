//! What every answer says to the browser unless its route says otherwise.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};

/// The headers; `https`: browsers reach the application over https.
pub(crate) fn security_headers(https: bool) -> Vec<(HeaderName, HeaderValue)> {
    const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                       base-uri 'none'; frame-ancestors 'none'";
    let text = HeaderValue::from_static;
    let mut headers = vec![
        (CACHE_CONTROL, text("no-store")),
        (CONTENT_SECURITY_POLICY, text(CSP)),
        // A callback's address holds a code, which no other site may see. `no-referrer` would make
        // browsers send `Origin: null` with this application's own forms.
        (REFERRER_POLICY, text("same-origin")),
        (X_CONTENT_TYPE_OPTIONS, text("nosniff")),
        (X_FRAME_OPTIONS, text("DENY")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            text("same-origin"),
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            text("same-origin"),
        ),
    ];
    if https {
        headers.push((STRICT_TRANSPORT_SECURITY, text("max-age=31536000")));
    }
    headers
}

/// Adds those that `present` does not have.
pub(crate) fn add_missing(headers: &[(HeaderName, HeaderValue)], present: &mut HeaderMap) {
    for (name, value) in headers {
        if !present.contains_key(name) {
            present.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_route_says_itself_stays() {
        let mut present = HeaderMap::new();
        present.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        add_missing(&security_headers(true), &mut present);
        assert_eq!(present[CACHE_CONTROL], "max-age=60");
        assert_eq!(present.get_all(CACHE_CONTROL).iter().count(), 1);
        assert_eq!(present[X_FRAME_OPTIONS], "DENY");
        assert!(present.contains_key(STRICT_TRANSPORT_SECURITY));
    }

    #[test]
    fn plain_http_promises_no_https() {
        let headers = security_headers(false);
        assert!(
            headers
                .iter()
                .all(|(name, _)| name != STRICT_TRANSPORT_SECURITY)
        );
    }
}
