//! What is for those who run a node: its metrics and its state in detail, and who may ask for them.

mod metrics;
mod requests;
mod sockets;

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::HeaderMap;
use ipnet::IpNet;
use tidings_protocol::server::DetailedHealth;

use crate::hub::Hub;

pub use metrics::{Kind, METRICS, Metric, Page};
pub(crate) use requests::Requests;
pub(crate) use sockets::SocketCounters;

/// What proxies say of whom they ask for.
const FORWARDED: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

/// What a node knows of itself beyond its gateway.
pub struct Operations {
    /// Who may ask beside the machine itself.
    pub allow: Vec<IpNet>,
    /// Proxies whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// Writes the metrics of the other parts.
    pub collect: Box<dyn Fn(&mut Page) + Send + Sync>,
    /// Looks at each part.
    pub examine: Box<dyn Fn() -> BoxFuture<'static, DetailedHealth> + Send + Sync>,
}

impl Operations {
    /// Whether somebody there may ask. Who comes through a proxy is not the machine itself, though the proxy may be on it.
    #[must_use]
    pub fn allows(&self, from: IpAddr, headers: &HeaderMap) -> bool {
        let from = from.to_canonical();
        let is_own = from.is_loopback() && !FORWARDED.iter().any(|name| headers.contains_key(*name));
        is_own || self.allow.iter().any(|network| network.contains(&from))
    }
}

impl Operations {
    /// Where a request comes from: the far end of its connection, or what a proxy that is trusted says of it. Each proxy
    /// on the way appends the one before it: the last that is not trusted is the one.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let is_trusted = |address: &IpAddr| {
            let address = address.to_canonical();
            self.trusted_proxies.iter().any(|network| network.contains(&address))
        };
        let mut client = peer;
        let said = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
        for hop in hops.into_iter().rev() {
            if !is_trusted(&client) {
                break;
            }
            // What is no address ends what can be believed.
            let Ok(before) = hop.parse() else { break };
            client = before;
        }
        client
    }
}

/// As handlers get it.
#[derive(Clone)]
pub(crate) struct Operated {
    pub operations: Arc<Operations>,
    pub hub: Arc<Hub>,
    pub requests: Arc<Requests>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_itself_and_who_is_named_may_ask() {
        let operations = Operations {
            allow: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::1/128".parse().unwrap()],
            trusted_proxies: Vec::new(),
            collect: Box::new(|_| {}),
            examine: Box::new(|| unreachable!("nobody asks")),
        };
        for (from, is_allowed) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("2001:db8::1", true),
            ("11.0.0.1", false),
            ("2001:db8::2", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(operations.allows(from.parse().unwrap(), &HeaderMap::new()), is_allowed, "{from}");
        }
        for name in FORWARDED {
            let said = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static("x"),
            )]);
            assert!(!operations.allows("127.0.0.1".parse().unwrap(), &said), "{name}");
            assert!(operations.allows("10.1.2.3".parse().unwrap(), &said), "{name}");
        }
    }

    #[test]
    fn only_a_proxy_that_is_trusted_says_where_a_request_comes_from() {
        let operations = Operations {
            allow: Vec::new(),
            trusted_proxies: vec!["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()],
            collect: Box::new(|_| {}),
            examine: Box::new(|| unreachable!("nobody asks")),
        };
        for (peer, said, client) in [
            ("127.0.0.1", "", "127.0.0.1"),
            ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
            ("192.0.2.9", "192.0.2.1", "192.0.2.9"),
            ("127.0.0.1", "203.0.113.5, 192.0.2.1", "192.0.2.1"),
            ("127.0.0.1", "203.0.113.5, 192.0.2.1, 10.1.1.1", "192.0.2.1"),
            ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
            ("127.0.0.1", "192.0.2.1, nonsense", "127.0.0.1"),
            ("127.0.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1"),
        ] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("x-forwarded-for"),
                said.parse().unwrap(),
            )]);
            let found = operations.client_address(peer.parse().unwrap(), &headers);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} says {said:?}");
        }
    }
}
