//! What is for those who run a node: its metrics and its state in detail, and who may ask for them.

mod metrics;
mod requests;
mod sockets;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use ipnet::IpNet;
use tidings_protocol::server::DetailedHealth;

use crate::hub::Hub;

pub use metrics::{Kind, METRICS, Metric, Page};
pub(crate) use requests::Requests;
pub(crate) use sockets::SocketCounters;

/// What proxies say of whom they ask for.
const FORWARDED: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

/// Somebody of whom nobody says where they are: all of them are one address.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

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
    /// Whether somebody may ask whose request came over a connection from `peer` and [from](Self::client_address)
    /// `client`. Who comes through a proxy is not the machine itself, and through one that is not trusted nobody at
    /// all; nor is a page of another origin who looks at it, on this machine also where a name of the page's leads to
    /// it.
    #[must_use]
    pub fn allows(&self, peer: IpAddr, client: IpAddr, headers: &HeaderMap) -> bool {
        let is_forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
        if headers.contains_key(ORIGIN) || is_forwarded && !self.is_trusted(peer) {
            return false;
        }
        let client = client.to_canonical();
        !is_forwarded && client.is_loopback() && names_this_machine(headers)
            || self.allow.iter().any(|network| network.contains(&client))
    }

    /// Where a request comes from: the far end of its connection, or what a proxy that is trusted says of it. Each
    /// proxy on the way appends the one before it: the last that is not trusted is the one. Where a trusted one says
    /// what is no address, it is unknown: `0.0.0.0`.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        for hop in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
            if !self.is_trusted(client) {
                break;
            }
            let Some(before) = address_of(hop) else { return UNKNOWN };
            client = before;
        }
        client
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

/// Whether it was asked for by a name that leads to this machine wherever it is said: a page can have any other one
/// lead here, and is then of the same origin.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else { return true };
    let host = host.to_str().unwrap_or_default();
    let name = host.split(':').next().unwrap_or_default();
    name.eq_ignore_ascii_case("localhost")
        || address_of(host.as_bytes()).is_some_and(|address| address.to_canonical().is_loopback())
}

/// As proxies and `Host` write one: alone, with a port, in brackets.
fn address_of(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// What handlers know of the node beside its services.
pub(crate) struct Node {
    pub operations: Operations,
    pub hub: Arc<Hub>,
    pub requests: Requests,
    /// Whether browsers reach it by TLS.
    pub is_tls: bool,
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn operations(allow: &[&str], trusted_proxies: &[&str]) -> Operations {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Operations {
            allow: networks(allow),
            trusted_proxies: networks(trusted_proxies),
            collect: Box::new(|_| {}),
            examine: Box::new(|| unreachable!("nobody asks")),
        }
    }

    fn header(name: &'static str, value: &[u8]) -> HeaderMap {
        let value = HeaderValue::from_bytes(value).unwrap();
        HeaderMap::from_iter([(HeaderName::from_static(name), value)])
    }

    #[test]
    fn the_machine_itself_and_who_is_named_may_ask() {
        let operations = operations(&["10.0.0.0/8", "2001:db8::1/128"], &[]);
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
            let from = from.parse().unwrap();
            assert_eq!(operations.allows(from, from, &HeaderMap::new()), is_allowed, "{from}");
            let page = header("origin", b"https://evil.example");
            assert!(!operations.allows(from, from, &page), "a page that {from} looks at");
        }
        let here = "127.0.0.1".parse().unwrap();
        for (name, is_allowed) in [
            ("localhost:3000", true),
            ("127.0.0.1:3000", true),
            ("[::1]:3000", true),
            ("LOCALHOST", true),
            ("evil.example:3000", false),
            ("127.0.0.1.evil.example", false),
            ("10.1.2.3", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(name))]);
            assert_eq!(operations.allows(here, here, &headers), is_allowed, "{name}");
        }
    }

    #[test]
    fn who_comes_through_a_proxy_is_not_the_machine_itself() {
        let operations = operations(&["10.0.0.0/8"], &["127.0.0.1/32"]);
        let may_ask = |peer: &str, said: &HeaderMap| {
            let peer = peer.parse().unwrap();
            operations.allows(peer, operations.client_address(peer, said), said)
        };
        for name in FORWARDED {
            assert!(!may_ask("127.0.0.1", &header(name, b"127.0.0.1")), "{name}");
            assert!(
                !may_ask("10.0.0.5", &header(name, b"10.0.0.7")),
                "{name}, of a proxy that is not trusted"
            );
        }
        let said = |value| header("x-forwarded-for", value);
        assert!(may_ask("127.0.0.1", &said(b"10.0.0.7")), "a trusted one asks for somebody who may");
        assert!(!may_ask("127.0.0.1", &said(b"192.0.2.1")));
        assert!(!may_ask("127.0.0.1", &said(b"\xff")));
    }

    #[test]
    fn only_a_proxy_that_is_trusted_says_where_a_request_comes_from() {
        let operations = operations(&[], &["127.0.0.1/32", "10.0.0.0/8"]);
        let cases: [(&str, &[u8], &str); 15] = [
            ("127.0.0.1", b"", "0.0.0.0"),
            ("127.0.0.1", b"192.0.2.1", "192.0.2.1"),
            ("192.0.2.9", b"192.0.2.1", "192.0.2.9"),
            ("192.0.2.9", b"\xff", "192.0.2.9"),
            ("127.0.0.1", b"203.0.113.5, 192.0.2.1", "192.0.2.1"),
            ("127.0.0.1", b"203.0.113.5, 192.0.2.1, 10.1.1.1", "192.0.2.1"),
            ("::ffff:10.0.0.1", b"2001:db8::1", "2001:db8::1"),
            ("127.0.0.1", b"\xff, 192.0.2.1", "192.0.2.1"),
            ("127.0.0.1", b"nonsense, 192.0.2.1", "192.0.2.1"),
            ("127.0.0.1", b"192.0.2.1, \xff", "0.0.0.0"),
            ("127.0.0.1", b"192.0.2.1, unknown", "0.0.0.0"),
            ("127.0.0.1", b"192.0.2.1:443", "192.0.2.1"),
            ("127.0.0.1", b"[2001:db8::1]:443", "2001:db8::1"),
            ("127.0.0.1", b"[2001:db8::1]", "2001:db8::1"),
            ("127.0.0.1", b"10.0.0.1, 10.0.0.2", "10.0.0.1"),
        ];
        for (peer, said, client) in cases {
            let found = operations.client_address(peer.parse().unwrap(), &header("x-forwarded-for", said));
            let shown = String::from_utf8_lossy(said);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} says {shown:?}");
        }
        let two = HeaderMap::from_iter(
            ["203.0.113.5", "192.0.2.1"]
                .map(|value| (HeaderName::from_static("x-forwarded-for"), HeaderValue::from_static(value))),
        );
        let found = operations.client_address("127.0.0.1".parse().unwrap(), &two);
        assert_eq!(found.to_string(), "192.0.2.1", "of several lines the last");
        let none = operations.client_address("127.0.0.1".parse().unwrap(), &HeaderMap::new());
        assert_eq!(none.to_string(), "127.0.0.1", "the proxy's own");
    }
}
