//! The random names of connections.

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
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random)?;
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
        assert_eq!(one.as_str().len(), 20);
        assert!(one.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }
}
