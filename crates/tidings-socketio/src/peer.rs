//! The far end of a connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::{HeaderMap, Request};

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

impl Peer {
    /// Takes the headers out of the request.
    pub(crate) fn of<B>(request: &mut Request<B>, remote_addr: SocketAddr) -> Self {
        let query = request.uri().query().unwrap_or_default().into();
        Self { remote_addr, headers: std::mem::take(request.headers_mut()), query }
    }

    /// Stands for one that was not kept.
    pub(crate) fn forgotten() -> Arc<Self> {
        let remote_addr = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        Arc::new(Self { remote_addr, headers: HeaderMap::new(), query: Box::default() })
    }
}
