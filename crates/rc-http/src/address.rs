//! Where a request may go.

use http::{Request, Uri};
use url::{Host, Url};

use crate::{Delivery, FailureKind, TransportError};

/// Why an address is refused before anything is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the URI is not absolute: give scheme, host and path")]
    NotAbsolute,
    #[error("only https is spoken, and http to the own machine: correct the URI's scheme")]
    Scheme,
    #[error(
        "plain http is for the own machine only (localhost, 127.0.0.0/8, ::1), since anybody on the way \
         could read the credentials: use https"
    )]
    PlainHttp,
    #[error("the URI carries a user name or password: send credentials in a header")]
    Credentials,
}

/// An address that passed the checks.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) url: Url,
    /// On this machine, where no proxy helps and no certificate is needed.
    pub(crate) loopback: bool,
}

impl Address {
    /// Checks the address of `request`.
    pub(crate) fn of<B>(request: &Request<B>) -> Result<Self, TransportError> {
        let uri = request.uri();
        Self::parse(uri).map_err(|refused| {
            TransportError::new(
                Delivery::NotSent,
                FailureKind::InvalidRequest,
                origin_of(uri),
            )
            .with_source(refused)
        })
    }

    fn parse(uri: &Uri) -> Result<Self, Refused> {
        if uri.scheme().is_none() || uri.authority().is_none() {
            return Err(Refused::NotAbsolute);
        }
        let url = Url::parse(&uri.to_string()).map_err(|_| Refused::NotAbsolute)?;
        let loopback = is_loopback(&url);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(Refused::PlainHttp),
            _ => return Err(Refused::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        Ok(Self { url, loopback })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Scheme, host and, unless it is the scheme's own, port.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// A failure to exchange a request with this address.
    pub(crate) fn failure(&self, delivery: Delivery, kind: FailureKind) -> TransportError {
        TransportError::new(delivery, kind, self.origin())
    }
}

/// `localhost` counts by its name (RFC 6761 section 6.3), addresses by their range.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The origin of an address that may not be one.
pub(crate) fn origin_of(uri: &Uri) -> String {
    match (uri.scheme_str(), uri.host(), uri.port()) {
        (Some(scheme), Some(host), Some(port)) => format!("{scheme}://{host}:{port}"),
        (Some(scheme), Some(host), None) => format!("{scheme}://{host}"),
        _ => "an address without scheme and host".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str) -> Result<String, Refused> {
        Address::parse(&uri.parse().unwrap()).map(|address| address.origin())
    }

    #[test]
    fn https_goes_anywhere() {
        assert_eq!(
            check("https://platform.example.com/x?y").unwrap(),
            "https://platform.example.com"
        );
        assert_eq!(
            check("https://[2001:db8::1]:8443/").unwrap(),
            "https://[2001:db8::1]:8443"
        );
        assert_eq!(
            check("https://example.com:443/").unwrap(),
            "https://example.com"
        );
    }

    #[test]
    fn plain_http_stays_on_the_own_machine() {
        for uri in [
            "http://127.0.0.1:8080/",
            "http://127.9.9.9/",
            "http://localhost/",
            "http://[::1]/",
        ] {
            assert!(check(uri).is_ok(), "{uri}");
        }
        for uri in [
            "http://platform.example.com/",
            "http://192.0.2.1/",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "http://128.0.0.1/",
        ] {
            assert_eq!(check(uri), Err(Refused::PlainHttp), "{uri}");
        }
    }

    #[test]
    fn odd_addresses_are_refused() {
        assert_eq!(check("/restapi/oauth/token"), Err(Refused::NotAbsolute));
        assert_eq!(check("platform.example.com:443"), Err(Refused::NotAbsolute));
        assert_eq!(check("ftp://example.com/"), Err(Refused::Scheme));
        assert_eq!(
            check("https://user:word@example.com/"),
            Err(Refused::Credentials)
        );
        assert_eq!(
            check("https://user@example.com/"),
            Err(Refused::Credentials)
        );
        assert_eq!(
            check("http://127.0.0.1@example.com/"),
            Err(Refused::PlainHttp)
        );
    }
}
