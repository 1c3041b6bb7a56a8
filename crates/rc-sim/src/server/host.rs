//! Which names a server answers to. A web page whose own name was pointed at this machine (DNS rebinding)
//! comes with that name and gets nowhere.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::HOST, uri::Authority};

use crate::{config::Config, reply};

const MISDIRECTED: &str = "This simulated platform does not answer to the host name of this request. \
                           Use localhost, or add the name: rc-sim --host-name NAME.\n";
const NO_HOST: &str = "A request needs exactly one Host header.\n";

/// The hosts of requests that are served.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    configured: Arc<[String]>,
    /// The address the server listens on, perhaps the unspecified one.
    bound: IpAddr,
}

impl Hosts {
    pub(super) fn new(config: &Config, bound: IpAddr) -> Self {
        Self {
            configured: config.host_names.as_slice().into(),
            bound: bound.to_canonical(),
        }
    }

    /// Refuses a request for a host that is not served. `local` is the connection's own end.
    pub(super) fn check<B>(
        &self,
        request: &Request<B>,
        local: Option<IpAddr>,
    ) -> Result<(), Box<Response<Bytes>>> {
        let named = named_host(request).ok_or_else(|| plain(StatusCode::BAD_REQUEST, NO_HOST))?;
        // The absolute form of a target counts beside the header (RFC 9112 section 3.2.2).
        let target = request.uri().authority();
        if [Some(&named), target]
            .into_iter()
            .flatten()
            .all(|authority| self.serve(authority.host(), local))
        {
            return Ok(());
        }
        Err(plain(StatusCode::MISDIRECTED_REQUEST, MISDIRECTED))
    }

    fn serve(&self, host: &str, local: Option<IpAddr>) -> bool {
        let Some(address) = address(host) else {
            return host.eq_ignore_ascii_case("localhost")
                || self
                    .configured
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case(host));
        };
        address.is_loopback()
            || address == self.bound
            || local.is_some_and(|local| local.to_canonical() == address)
            || self
                .configured
                .iter()
                .any(|name| self::address(name) == Some(address))
    }
}

fn named_host<B>(request: &Request<B>) -> Option<Authority> {
    let mut values = request.headers().get_all(HOST).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    Authority::try_from(value.as_bytes()).ok()
}

/// The address that `host`, an IPv6 one in brackets or not, is written as.
fn address(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    bare.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

fn plain(status: StatusCode, text: &'static str) -> Box<Response<Bytes>> {
    Box::new(reply::text(status, "text/plain;charset=utf-8", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of the refusal of `host` by a server at `bound` that was reached at `local`.
    fn refusal(bound: &str, local: &str, host: &str) -> Option<u16> {
        let hosts = Hosts::new(&Config::new(1), bound.parse().expect("an address"));
        let request = Request::get("/restapi").header(HOST, host).body(());
        hosts
            .check(&request.expect("a request"), local.parse().ok())
            .err()
            .map(|response| response.status().as_u16())
    }

    #[test]
    fn the_address_listened_on_and_the_one_reached_are_served() {
        for (bound, local, host) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.1:8090"),
            ("0.0.0.0", "192.0.2.1", "192.0.2.1:8090"),
            ("0.0.0.0", "127.0.0.1", "0.0.0.0:8090"),
            ("::", "::ffff:192.0.2.1", "192.0.2.1"),
            ("::", "2001:db8::1", "[2001:db8:0::1]:8090"),
        ] {
            assert_eq!(refusal(bound, local, host), None, "{bound} {local} {host}");
        }
    }

    #[test]
    fn other_addresses_of_the_network_are_not() {
        for (bound, local, host) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2:8090"),
            ("0.0.0.0", "192.0.2.1", "192.0.2.2"),
            ("127.0.0.1", "127.0.0.1", "0.0.0.0:8090"),
        ] {
            assert_eq!(refusal(bound, local, host), Some(421), "{bound} {host}");
        }
    }
}
