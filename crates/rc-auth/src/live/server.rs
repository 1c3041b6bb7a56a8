//! Where access tokens may be sent.

use std::{collections::BTreeMap, sync::Mutex};

use bytes::Bytes;
use http::{
    Uri,
    uri::{Authority, Scheme},
};

use crate::tasks::lock;

/// The platform's server.
///
/// There is one for each address, as long as the process lives: addresses come from the configuration, and a process
/// knows few. So nothing is counted when a call or a token takes one, and threads share no memory that they write to.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
}

static KNOWN: Mutex<BTreeMap<&'static str, &'static Server>> = Mutex::new(BTreeMap::new());

impl Server {
    /// `None`: the origin is no address.
    pub(crate) fn at(origin: &str) -> Option<&'static Self> {
        let mut known = lock(&KNOWN);
        if let Some(server) = known.get(origin) {
            return Some(server);
        }
        origin.parse::<Uri>().ok()?;
        let origin: &'static str = Box::leak(origin.into());
        let parts = Uri::from_maybe_shared(Bytes::from_static(origin.as_bytes()))
            .ok()?
            .into_parts();
        let server: &'static Self = Box::leak(Box::new(Self {
            scheme: parts.scheme?,
            authority: parts.authority?,
        }));
        known.insert(origin, server);
        Some(server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_once() {
        let first = Server::at("https://platform.example.com").unwrap();
        let again = Server::at("https://platform.example.com").unwrap();
        let other = Server::at("http://127.0.0.1:8081").unwrap();
        assert!(std::ptr::eq(first, again));
        assert_eq!(other.authority, "127.0.0.1:8081");
        assert_eq!(other.scheme, Scheme::HTTP);
        assert!(Server::at("no address").is_none());
    }
}
