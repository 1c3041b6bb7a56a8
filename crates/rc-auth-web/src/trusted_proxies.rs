//! Which proxies are believed when they say whom they forward for.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// Addresses and networks of reverse proxies. Empty by default: anybody can write a header.
///
/// ```
/// use rc_auth_web::TrustedProxies;
///
/// let proxies: TrustedProxies = "127.0.0.1,10.0.0.0/8".parse()?;
/// assert!(proxies.contains([10, 1, 2, 3].into()));
/// assert!(!proxies.contains([192, 0, 2, 1].into()));
/// # Ok::<(), rc_auth_web::InvalidTrustedProxies>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TrustedProxies(Vec<IpNet>);

/// A text that is no list of addresses and networks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("trusted proxies are addresses or networks, for example 127.0.0.1,10.0.0.0/8")]
pub struct InvalidTrustedProxies;

impl TrustedProxies {
    /// Whether `address` is one of them. An IPv4 address in IPv6 notation counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidTrustedProxies;

    fn from_str(text: &str) -> Result<Self, InvalidTrustedProxies> {
        let network = |entry: &str| {
            let entry = entry.trim();
            let address = entry
                .parse::<IpAddr>()
                .map(|address| IpNet::from(address.to_canonical()));
            address
                .or_else(|_| entry.parse())
                .ok()
                // Everybody would choose their own address.
                .filter(|network| network.prefix_len() > 0)
                .ok_or(InvalidTrustedProxies)
        };
        text.split(',')
            .map(network)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_believed_and_nobody_else() {
        let proxies: TrustedProxies = "127.0.0.1, 10.0.0.0/8,2001:db8::/32,::1".parse().unwrap();
        for (address, believed) in [
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("::ffff:10.0.0.1", true),
            ("2001:db8:1::7", true),
            ("2001:db9::7", false),
            ("::1", true),
        ] {
            let parsed = address.parse().unwrap();
            assert_eq!(proxies.contains(parsed), believed, "{address}");
            assert!(!TrustedProxies::default().contains(parsed), "{address}");
        }
    }

    #[test]
    fn names_and_half_lists_are_refused() {
        for text in [
            "",
            "proxy",
            "10.0.0.0/33",
            "10.0.0.1,",
            "*",
            "10.0.0.1:80",
            "10.0.0.1 10.0.0.2",
        ] {
            assert!(text.parse::<TrustedProxies>().is_err(), "{text:?}");
        }
    }
}
