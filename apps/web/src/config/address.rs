//! Addresses: redirect URI, server URL, `BIND`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use url::{Host, Url};

/// Paths of this application that a redirect URI must leave alone.
const OWN_PATHS: &[&str] = &[
    "/", "/login", "/logout", "/me", "/call", "/refresh", "/healthz", "/readyz",
];

/// A redirect URI: kept byte for byte, with what this application needs to know of it.
#[derive(Clone, Debug)]
pub struct RedirectUri {
    text: String,
    url: Url,
}

impl RedirectUri {
    /// Checks that browsers can come back to `text` and that it is safe to send a code there.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = absolute(text)?;
        if url.fragment().is_some() {
            return Err(
                "has a fragment (#…), which a redirect URI must not have (RFC 6749 §3.1.2)".into(),
            );
        }
        if OWN_PATHS.contains(&url.path()) || url.path().starts_with("/assets/") {
            return Err(format!(
                "has the path {}, which this application needs itself",
                url.path()
            ));
        }
        if url.path().contains('%') {
            return Err(format!(
                "has the path {}: give it one of letters, digits, `/`, `-`, `_` and `.`, without escapes",
                url.path()
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            url,
        })
    }

    /// Byte for byte as configured: RingCentral compares it that way.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the callback arrives.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// Whether browsers reach this application over https.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Scheme, host and port, without a path.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        self.url.host().is_some_and(|host| is_loopback(&host))
    }

    /// Host and, unless it is the scheme's own, port.
    pub fn authority(&self) -> &str {
        self.url.authority()
    }
}

/// Checks `RC_SERVER_URL`.
pub(super) fn server_url(text: &str) -> Result<(), String> {
    let url = absolute(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment; give the address alone".to_owned());
    }
    Ok(())
}

/// An absolute https URL without credentials; http on this machine only (RFC 8252 §8.3).
fn absolute(text: &str) -> Result<Url, String> {
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("contains white space".to_owned());
    }
    let url = Url::parse(text).map_err(|problem| format!("is not an absolute URL: {problem}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("contains a user name or password; leave them out".to_owned());
    }
    let Some(host) = url.host() else {
        return Err("has no host".to_owned());
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&host) => Ok(url),
        "http" => Err(format!(
            "is plain http to {host}; http is accepted only for 127.0.0.1, [::1] and localhost"
        )),
        other => Err(format!("has the scheme {other}; use https")),
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Checks `BIND`.
pub(super) fn bind(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:") {
        let port = port
            .parse()
            .map_err(|_| "has no port between 0 and 65535".to_owned())?;
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse()
        .map_err(|_| "is not an IP address and port".to_owned())
}

/// The address people open when this application listens on `bound`.
pub fn origin_on_this_machine(bound: SocketAddr) -> String {
    let port = bound.port();
    match bound.ip() {
        IpAddr::V6(address) if !address.is_unspecified() => format!("http://[{address}]:{port}"),
        IpAddr::V4(address) if !address.is_unspecified() => format!("http://{address}:{port}"),
        IpAddr::V4(_) | IpAddr::V6(_) => format!("http://127.0.0.1:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_https_or_loopback() {
        for good in [
            "https://app.example.com/oauth/callback",
            "http://127.0.0.1:8080/oauth/callback",
            "http://127.9.9.9/cb",
            "http://[::1]:8080/cb",
            "http://localhost:3000/cb",
        ] {
            assert_eq!(RedirectUri::parse(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("http://app.example.com/cb", "plain http"),
            ("http://127.0.0.1.example.com/cb", "plain http"),
            ("http://localhost.example.com/cb", "plain http"),
            ("ftp://localhost/cb", "scheme ftp"),
            ("/oauth/callback", "not an absolute URL"),
            ("https://u:hunter2@app.example.com/cb", "user name"),
            ("https://app.example.com/cb#x", "fragment"),
            ("https://app.example.com/", "needs itself"),
            ("https://app.example.com/me", "needs itself"),
            (" https://app.example.com/cb", "white space"),
        ] {
            let problem = RedirectUri::parse(bad).unwrap_err();
            assert!(
                problem.contains(why) && !problem.contains("hunter2"),
                "{bad}: {problem}"
            );
        }
    }

    #[test]
    fn the_printed_address_can_be_opened() {
        for (bound, origin) in [
            ("127.0.0.1:80", "http://127.0.0.1:80"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("[::]:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(origin_on_this_machine(bound.parse().unwrap()), origin);
        }
    }
}
