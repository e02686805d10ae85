//! How many connections each address has: so that one of them cannot take all the places.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

/// Counted by network: whoever has one address of an IPv6 network has all of them.
#[derive(Clone, Debug, Default)]
pub struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection of an address, counted until this is dropped.
#[derive(Debug)]
pub struct Taken {
    addresses: Addresses,
    network: Option<IpAddr>,
}

impl Addresses {
    /// Counts one more; nothing where there are `max` already. This machine's own are not counted: they are a proxy's.
    #[must_use]
    pub fn take(&self, address: IpAddr, max: usize) -> Option<Taken> {
        let network = network_of(address);
        if let Some(network) = network {
            let mut counts = self.0.lock();
            let count = counts.entry(network).or_default();
            if *count >= max {
                return None;
            }
            *count += 1;
        }
        Some(Taken { addresses: self.clone(), network })
    }
}

/// The network that an address counts for where addresses are counted: an IPv6 network of 64 bits as a whole, because
/// whoever has one address of it has them all. None for this machine's own, which are a proxy's.
fn network_of(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V4(address) => Some(address.into()),
        IpAddr::V6(address) => {
            const NETWORK: u128 = !0 << 64;
            Some(Ipv6Addr::from(u128::from(address) & NETWORK).into())
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut counts = self.addresses.0.lock();
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_gives_them_back() {
        let addresses = Addresses::default();
        let take = |text: &str| addresses.take(text.parse().unwrap(), 2);
        let held = [take("192.0.2.1"), take("192.0.2.1"), take("2001:db8::1"), take("2001:db8::2")];
        assert!(held.iter().all(Option::is_some));
        assert!(take("192.0.2.1").is_none() && take("2001:db8::3").is_none());
        assert!(take("192.0.2.2").is_some() && take("2001:db8:0:1::1").is_some());
        assert!((0..9).map(|_| take("127.0.0.1")).collect::<Vec<_>>().iter().all(Option::is_some));
        drop(held);
        assert!(take("192.0.2.1").is_some());
        assert_eq!(addresses.0.lock().len(), 0);
    }
}
