//! The far end of a connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;

/// The far end of a connection, as the HTTP request that opened it showed it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address of the socket; a proxy's, if one is between.
    pub remote_addr: SocketAddr,
    /// The headers of the request.
    pub headers: HeaderMap,
    /// Its query, without the question mark.
    pub query: Box<str>,
}

/// The network that an address counts for where addresses are counted: an IPv6 network of 64 bits as a whole, because
/// whoever has one address of it has them all. None for this machine's own, which are a proxy's.
#[must_use]
pub fn network_of(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V4(address) => Some(address.into()),
        IpAddr::V6(address) => {
            const NETWORK: u128 = !0 << 64;
            Some(Ipv6Addr::from(u128::from(address) & NETWORK).into())
        }
    }
}

impl Peer {
    /// Stands for one that was not kept.
    pub(crate) fn forgotten() -> Arc<Self> {
        let remote_addr = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        Arc::new(Self { remote_addr, headers: HeaderMap::new(), query: Box::default() })
    }
}
