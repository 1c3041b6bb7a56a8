//! The redirect URI, and everything public that follows from it.

use url::{Host, Url};

use crate::Paths;

/// What this crate needs to know of the app's redirect URI. Public addresses come from here only, never
/// from `Host` or `X-Forwarded-*`, which anybody can write.
#[derive(Clone, Debug)]
pub(crate) struct RedirectUri {
    url: Url,
    origin: String,
}

/// A redirect URI that a web application cannot serve.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitRedirectUri {
    /// Neither https, nor http on this machine.
    #[error("is not an absolute https URL (http only for 127.0.0.1, [::1] and localhost)")]
    Scheme,
    /// There is a user name or a password in it.
    #[error("contains a user name or password; leave them out")]
    Credentials,
    /// The path is one of [`Paths`].
    #[error(
        "has the path {0}, which the application needs itself; give the callback a path of its own"
    )]
    PathTaken(String),
    /// The path has escapes, which proxies and routers spell in different ways.
    #[error(
        "has the path {0}: give it one of letters, digits, `/`, `-`, `_` and `.`, without escapes"
    )]
    Escapes(String),
}

impl RedirectUri {
    /// Checks that browsers can come back to `text` and that it is safe to send a code there.
    pub(crate) fn parse(text: &str, paths: &Paths) -> Result<Self, UnfitRedirectUri> {
        let url = Url::parse(text).map_err(|_| UnfitRedirectUri::Scheme)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UnfitRedirectUri::Credentials);
        }
        let fits = match (url.scheme(), url.host()) {
            ("https", Some(_)) => true,
            ("http", Some(host)) => is_loopback(&host),
            _ => false,
        };
        if !fits {
            return Err(UnfitRedirectUri::Scheme);
        }
        if paths.contains(url.path()) {
            return Err(UnfitRedirectUri::PathTaken(url.path().to_owned()));
        }
        if url.path().contains('%') {
            return Err(UnfitRedirectUri::Escapes(url.path().to_owned()));
        }
        let origin = url.origin().ascii_serialization();
        Ok(Self { url, origin })
    }

    /// Where the callback arrives.
    pub(crate) fn path(&self) -> &str {
        self.url.path()
    }

    /// Whether browsers reach the application over https.
    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Scheme, host and port, without a path.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether the host is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.url.host().is_some_and(|host| is_loopback(&host))
    }

    /// Host and, unless it is the scheme's own, port.
    pub(crate) fn authority(&self) -> &str {
        self.url.authority()
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_https_or_loopback() {
        let parse = |text| RedirectUri::parse(text, &Paths::default());
        for (good, origin) in [
            (
                "https://app.example.com/oauth/callback",
                "https://app.example.com",
            ),
            (
                "http://127.0.0.1:8080/oauth/callback",
                "http://127.0.0.1:8080",
            ),
            ("http://127.9.9.9/cb", "http://127.9.9.9"),
            ("http://[::1]:8080/cb", "http://[::1]:8080"),
            ("http://localhost:3000/cb", "http://localhost:3000"),
        ] {
            assert_eq!(parse(good).unwrap().origin(), origin);
        }
        for (bad, why) in [
            ("http://app.example.com/cb", "https"),
            ("http://127.0.0.1.example.com/cb", "https"),
            ("http://localhost.example.com/cb", "https"),
            ("com.example.app:/cb", "https"),
            ("https://u:hunter2@app.example.com/cb", "user name"),
            ("https://app.example.com/", "needs itself"),
            ("https://app.example.com/login", "needs itself"),
            ("https://app.example.com/call%20back", "escapes"),
        ] {
            let problem = parse(bad).unwrap_err().to_string();
            assert!(
                problem.contains(why) && !problem.contains("hunter2"),
                "{bad}: {problem}"
            );
        }
    }
}
