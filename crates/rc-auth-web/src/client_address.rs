//! Which address a request comes from, also behind a reverse proxy.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName};

use crate::TrustedProxies;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where browsers' addresses come from. They are counted where codes are refused; nothing else hangs on them.
///
/// ```
/// use rc_auth_web::ClientAddress;
///
/// let behind_a_proxy = ClientAddress::Forwarded("10.0.0.0/8".parse()?);
/// assert_ne!(behind_a_proxy, ClientAddress::Peer);
/// # Ok::<(), rc_auth_web::InvalidTrustedProxies>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientAddress {
    /// From the connection: browsers connect directly.
    Peer,
    /// From `X-Forwarded-For` or `Forwarded` (RFC 7239), as far as the proxies listed here wrote them.
    Forwarded(TrustedProxies),
}

/// A connection without an address, such as that of a Unix socket. Behind a proxy that connects so, give
/// 127.0.0.1 for it and list that as trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the connection has no address; give that of the proxy in front")]
pub struct NoClientAddress;

impl ClientAddress {
    /// Whether the request looks as if it came through a reverse proxy nearby that is not listed. Tells the
    /// operator, and decides nothing.
    pub(crate) fn proxy_is_missing(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        match self {
            Self::Peer => proxy_is_missing(peer, headers, &TrustedProxies::default()),
            Self::Forwarded(trusted) => proxy_is_missing(peer, headers, trusted),
        }
    }
}

/// The address of the browser: the peer's, or what a trusted proxy says it forwards for.
///
/// Entries are read from the right, where the nearest proxy writes, and the first one that is no trusted
/// proxy counts: what stands left of it is the browser's own word. Headers that cannot be read, and a
/// `Forwarded` that disagrees with `X-Forwarded-For` (a proxy sets one and passes the other on), are not
/// believed: then the peer counts.
pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contains(peer) {
        return peer;
    }
    let told = |name: HeaderName, entry: fn(&str) -> Option<IpAddr>| {
        headers
            .contains_key(&name)
            .then(|| nearest_stranger(headers, &name, entry, trusted))
    };
    match (
        told(X_FORWARDED_FOR, address),
        told(FORWARDED, forwarded_for),
    ) {
        (Some(Some(one)), Some(Some(other))) if one == other => one,
        (Some(Some(only)), None) | (None, Some(Some(only))) => only,
        _ => peer,
    }
}

fn proxy_is_missing(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> bool {
    let peer = peer.to_canonical();
    let nearby = match peer {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    };
    let forwarded = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED);
    nearby && forwarded && !trusted.contains(peer)
}

/// The right-most address that is no trusted proxy; the left-most one if all are. `None` if an entry on
/// the way there is no address.
fn nearest_stranger(
    headers: &HeaderMap,
    name: &HeaderName,
    entry: fn(&str) -> Option<IpAddr>,
    trusted: &TrustedProxies,
) -> Option<IpAddr> {
    let lines: Option<Vec<&str>> = headers
        .get_all(name)
        .into_iter()
        .map(|line| line.to_str().ok())
        .collect();
    let mut nearest = None;
    for text in lines?.iter().rev().flat_map(|line| line.rsplit(',')) {
        let address = entry(text.trim())?;
        nearest = Some(address);
        if !trusted.contains(address) {
            break;
        }
    }
    nearest
}

/// One element of `Forwarded` (RFC 7239 section 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let value = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    })?;
    let value = value.trim();
    let quoted = value.strip_prefix('"').map(|rest| rest.strip_suffix('"'));
    address(quoted.unwrap_or(Some(value))?)
}

/// An address, with a port or without, with brackets or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|with| with.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const XFF: &str = "x-forwarded-for";
    const FWD: &str = "forwarded";

    fn seen(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let trusted = "10.0.0.0/8,::1".parse().unwrap();
        of(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        assert_eq!(seen("192.0.2.9", &[(XFF, "198.51.100.1")]), "192.0.2.9");
        assert_eq!(seen("192.0.2.9", &[(FWD, "for=198.51.100.1")]), "192.0.2.9");
        assert_eq!(
            seen("::ffff:192.0.2.9", &[]),
            "192.0.2.9",
            "IPv4 in IPv6 notation"
        );
    }

    #[test]
    fn a_trusted_proxy_names_the_browser() {
        for (lines, address) in [
            (vec![], "10.0.0.1"),
            (vec![(XFF, "198.51.100.1")], "198.51.100.1"),
            (vec![(XFF, "203.0.113.5, 198.51.100.1")], "198.51.100.1"),
            (vec![(XFF, "198.51.100.1, 10.0.0.7,::1")], "198.51.100.1"),
            (
                vec![(XFF, "203.0.113.5"), (XFF, "198.51.100.1,10.0.0.7")],
                "198.51.100.1",
            ),
            (vec![(XFF, "rubbish, 198.51.100.1")], "198.51.100.1"),
            (vec![(XFF, "10.0.0.9, 10.0.0.7")], "10.0.0.9"),
            (vec![(XFF, "198.51.100.1:4711")], "198.51.100.1"),
            (vec![(XFF, "[2001:db8::1]:4711")], "2001:db8::1"),
            (vec![(XFF, "[2001:db8::1]")], "2001:db8::1"),
            (vec![(XFF, "::ffff:198.51.100.1")], "198.51.100.1"),
            (
                vec![(FWD, "for=203.0.113.5, proto=https;For=\"[2001:db8::1]:80\"")],
                "2001:db8::1",
            ),
            (
                vec![(FWD, "for=\"x, for=198.51.100.1;by=a")],
                "198.51.100.1",
            ),
            (
                vec![(FWD, "for=198.51.100.1"), (XFF, "198.51.100.1")],
                "198.51.100.1",
            ),
        ] {
            assert_eq!(seen("10.0.0.1", &lines), address, "{lines:?}");
        }
    }

    #[test]
    fn an_unlisted_proxy_nearby_is_noticed() {
        let trusted = "10.0.0.0/8".parse().unwrap();
        let mut forwarded = HeaderMap::new();
        forwarded.insert(X_FORWARDED_FOR, HeaderValue::from_static("198.51.100.1"));
        for (peer, missing) in [
            ("127.0.0.1", true),
            ("::ffff:192.168.0.1", true),
            ("fd00::1", true),
            ("10.0.0.1", false),
            ("203.0.113.5", false),
            ("2001:db8::1", false),
        ] {
            let peer = peer.parse().unwrap();
            assert_eq!(
                proxy_is_missing(peer, &forwarded, &trusted),
                missing,
                "{peer}"
            );
            assert!(!proxy_is_missing(peer, &HeaderMap::new(), &trusted));
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_believed() {
        for lines in [
            vec![(XFF, "")],
            vec![(XFF, "unknown")],
            vec![(XFF, "198.51.100.1, ")],
            vec![(XFF, "198.51.100.1, rubbish, 10.0.0.7")],
            vec![(XFF, "198.51.100.1.2")],
            vec![(FWD, "for=unknown")],
            vec![(FWD, "for=_hidden")],
            vec![(FWD, "for=\"198.51.100.1")],
            vec![(FWD, "proto=https")],
            vec![(FWD, "for=203.0.113.5"), (XFF, "198.51.100.1")],
            vec![(FWD, "rubbish"), (XFF, "198.51.100.1")],
        ] {
            assert_eq!(seen("10.0.0.1", &lines), "10.0.0.1", "{lines:?}");
        }
    }

    #[test]
    fn a_proxy_is_missed_where_a_neighbour_forwards_and_is_not_listed() {
        let forwarded =
            HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.1"))]);
        let misses = |from: &ClientAddress, peer: &str, headers: &HeaderMap| {
            from.proxy_is_missing(peer.parse().unwrap(), headers)
        };
        let listed = ClientAddress::Forwarded("10.0.0.0/8".parse().unwrap());
        for from in [&ClientAddress::Peer, &listed] {
            assert!(misses(from, "127.0.0.1", &forwarded));
            assert!(!misses(from, "127.0.0.1", &HeaderMap::new()));
            assert!(!misses(from, "198.51.100.7", &forwarded), "far away");
        }
        assert!(misses(&ClientAddress::Peer, "10.1.1.1", &forwarded));
        assert!(!misses(&listed, "10.1.1.1", &forwarded));
    }
}
