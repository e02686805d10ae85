//! The random names of connections.

use std::cell::RefCell;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const RANDOM_BYTES: usize = 15;
const TEXT_BYTES: usize = RANDOM_BYTES / 3 * 4;

/// 20 characters of base64url, 120 random bits: Socket.IO's `sid`, unguessable and unique without asking anyone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId([u8; TEXT_BYTES]);

impl ConnectionId {
    /// A new id from the operating system's randomness; fails only when that does.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let random = take_random()?;
        let mut text = [0; TEXT_BYTES];
        // 15 bytes are exactly 20 characters, so the slice cannot be too small.
        let _ = URL_SAFE_NO_PAD.encode_slice(random, &mut text);
        Ok(Self(text))
    }

    /// An id from its text; none of another form was ever given.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }

    /// The id as it is on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Base64 is ASCII, so the default is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Random bytes are asked of the system for so many ids at a time: a system call for each would be a part of a connect.
const IDS_AT_ONCE: usize = 16;

thread_local! {
    /// What is left of them, taken from the end; each is used once.
    static RANDOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn take_random() -> Result<[u8; RANDOM_BYTES], getrandom::Error> {
    RANDOM.with_borrow_mut(|left| {
        if left.is_empty() {
            left.resize(RANDOM_BYTES * IDS_AT_ONCE, 0);
            if let Err(error) = getrandom::fill(left) {
                left.clear();
                return Err(error);
            }
        }
        let mut random = [0; RANDOM_BYTES];
        let from = left.len() - RANDOM_BYTES;
        random.copy_from_slice(&left[from..]);
        left.truncate(from);
        Ok(random)
    })
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_twenty_different_url_safe_characters() {
        let (one, two) = (ConnectionId::random().unwrap(), ConnectionId::random().unwrap());
        assert_ne!(one, two);
        let many: std::collections::HashSet<_> =
            (0..10 * IDS_AT_ONCE).map(|_| ConnectionId::random().unwrap()).collect();
        assert_eq!(many.len(), 10 * IDS_AT_ONCE);
        assert_eq!(one.as_str().len(), 20);
        assert!(one.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }
}
