//! What is for those who run a node: its metrics and its state in detail, and who may ask for them.

mod metrics;
mod requests;
mod sockets;

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use tidings_protocol::server::DetailedHealth;

use crate::hub::Hub;

pub use metrics::{Kind, METRICS, Metric, Page};
pub(crate) use requests::Requests;
pub(crate) use sockets::SocketCounters;

/// What a node knows of itself beyond its gateway.
pub struct Operations {
    /// Who may ask beside the machine itself.
    pub allow: Vec<IpNet>,
    /// Writes the metrics of the other parts.
    pub collect: Box<dyn Fn(&mut Page) + Send + Sync>,
    /// Looks at each part.
    pub examine: Box<dyn Fn() -> BoxFuture<'static, DetailedHealth> + Send + Sync>,
}

impl Operations {
    /// Whether somebody there may ask.
    #[must_use]
    pub fn allows(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        from.is_loopback() || self.allow.iter().any(|network| network.contains(&from))
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
            assert_eq!(operations.allows(from.parse().unwrap()), is_allowed, "{from}");
        }
    }
}
