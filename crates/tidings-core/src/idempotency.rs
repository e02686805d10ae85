//! Telling a retry from another request under the same name.

use aws_lc_rs::hmac;

use crate::limits::Limits;

/// The `Idempotency-Key` of a POST: visible ASCII, chosen by the client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Takes 1 to 255 visible ASCII characters.
    #[must_use]
    pub fn parse(text: &str, limits: &Limits) -> Option<Self> {
        let fits = (1..=limits.idempotency_key_bytes_max).contains(&text.len());
        (fits && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// As it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A keyed hash of a request: equal for a retry, and of no use to who reads the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestMac(pub [u8; 16]);

/// A key and the hash of the request that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    /// The client's name for the request.
    pub key: IdempotencyKey,
    /// What it asked for.
    pub mac: RequestMac,
}

/// Makes [`RequestMac`]s.
pub struct RequestMacs(hmac::Key);

impl RequestMacs {
    /// From the installation's secret.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"request macs");
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// The hash of a request's parts. Each goes in with its length, so that no two lists look alike.
    #[must_use]
    pub fn of(&self, parts: &[&[u8]]) -> RequestMac {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut mac = [0; 16];
        mac.copy_from_slice(&context.sign().as_ref()[..16]);
        RequestMac(mac)
    }

    /// A key together with the hash of its request.
    #[must_use]
    pub fn keyed(&self, key: IdempotencyKey, parts: &[&[u8]]) -> KeyedRequest {
        KeyedRequest { key, mac: self.of(parts) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_shifted_into_one_another() {
        let macs = RequestMacs::new(&[1; 32]);
        assert_eq!(macs.of(&[b"ab", b"c"]), macs.of(&[b"ab", b"c"]));
        assert_ne!(macs.of(&[b"ab", b"c"]), macs.of(&[b"a", b"bc"]));
        assert_ne!(macs.of(&[b"ab"]), macs.of(&[b"ab", b""]));
        assert_ne!(macs.of(&[b"ab"]), RequestMacs::new(&[2; 32]).of(&[b"ab"]));
    }

    #[test]
    fn a_key_is_visible_ascii() {
        let limits = Limits::default();
        assert!(IdempotencyKey::parse("0190-abc", &limits).is_some());
        for bad in ["", "a b", "é", "a\n", &"x".repeat(256)] {
            assert!(IdempotencyKey::parse(bad, &limits).is_none(), "{bad:?}");
        }
    }
}
