//! The token: version, flags, epoch, a place in the log, and how far a replay has come. Opaque to clients.
//!
//! It says where a device stands and nothing of who holds it: membership is looked at again with every use, so a
//! stolen or forged token shows nobody anything.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ids::{Epoch, LogId};

/// The form of the token that this version writes. A vector of places would be another.
const VERSION: u8 = 1;
/// Version, flags, epoch, place.
const PLAIN_BYTES: usize = 2 + 16 + 8;
/// The same and a replay's two places.
const REPLAY_BYTES: usize = PLAIN_BYTES + 16;
/// The flag of a token in the middle of a replay.
const REPLAYING: u8 = 1;
/// The flag of a replay whose skipped streams the device has been told.
const SKIPS_TOLD: u8 = 2;

/// Where a device stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// The data set that the places are of.
    pub epoch: Epoch,
    /// The device has everything up to here.
    pub through: LogId,
    /// It is in the middle of a replay.
    pub replay: Option<Replay>,
}

/// How far a replay has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// Where the replay ends.
    pub end: LogId,
    /// The device has its pages up to here.
    pub done_through: LogId,
    /// The device has been told which streams are skipped. Pages from the tail in memory skip nothing and tell nothing,
    /// but the next page may come from the store, which does.
    pub skips_told: bool,
}

/// The text is no token of this server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sync token")]
pub struct TokenError;

impl Token {
    /// A token of a device that has everything up to `through`.
    #[must_use]
    pub fn at(epoch: Epoch, through: LogId) -> Self {
        Self { epoch, through, replay: None }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; REPLAY_BYTES];
        bytes[0] = VERSION;
        bytes[2..18].copy_from_slice(self.epoch.as_bytes());
        bytes[18..26].copy_from_slice(&self.through.0.to_be_bytes());
        let mut used = PLAIN_BYTES;
        if let Some(replay) = self.replay {
            bytes[1] = REPLAYING | if replay.skips_told { SKIPS_TOLD } else { 0 };
            bytes[26..34].copy_from_slice(&replay.end.0.to_be_bytes());
            bytes[34..42].copy_from_slice(&replay.done_through.0.to_be_bytes());
            used = REPLAY_BYTES;
        }
        let mut text = [0; REPLAY_BYTES.div_ceil(3) * 4];
        let length = URL_SAFE_NO_PAD.encode_slice(&bytes[..used], &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        if text.len() > 1024 {
            return Err(TokenError);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError)?;
        let place = |from: usize| {
            let bytes: [u8; 8] = bytes.get(from..from + 8)?.try_into().ok()?;
            // Stores count in signed 64 bits.
            i64::try_from(u64::from_be_bytes(bytes)).ok()?;
            Some(LogId(u64::from_be_bytes(bytes)))
        };
        let (Some(&VERSION), Some(&flags)) = (bytes.first(), bytes.get(1)) else { return Err(TokenError) };
        let expected = if flags & REPLAYING == 0 { PLAIN_BYTES } else { REPLAY_BYTES };
        if bytes.len() != expected || ![0, REPLAYING, REPLAYING | SKIPS_TOLD].contains(&flags) {
            return Err(TokenError);
        }
        let epoch: [u8; 16] = bytes[2..18].try_into().map_err(|_| TokenError)?;
        let through = place(18).ok_or(TokenError)?;
        let replay = if flags & REPLAYING == 0 {
            None
        } else {
            Some(Replay {
                end: place(26).ok_or(TokenError)?,
                done_through: place(34).ok_or(TokenError)?,
                skips_told: flags & SKIPS_TOLD != 0,
            })
        };
        if replay.is_some_and(|replay| replay.done_through < through || replay.end < replay.done_through) {
            return Err(TokenError);
        }
        Ok(Self { epoch: Epoch::from_bytes(epoch), through, replay })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    #[test]
    fn a_token_comes_back_as_it_went() {
        let epoch = Epoch(Uuid::from_u128(5));
        let plain = Token::at(epoch, LogId(812));
        assert_eq!(plain.to_string().parse(), Ok(plain));
        for skips_told in [true, false] {
            let replay = Replay { end: LogId(900), done_through: LogId(850), skips_told };
            let replaying = Token { replay: Some(replay), ..plain };
            assert_eq!(replaying.to_string().parse(), Ok(replaying));
        }
        assert!(plain.to_string().len() < 40, "it stands twice in every frame");
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let epoch = Epoch(Uuid::from_u128(5));
        let backwards = Replay { end: LogId(1), done_through: LogId(2), skips_told: true };
        let odd = Token { epoch, through: LogId(1), replay: Some(backwards) };
        let huge = Token::at(epoch, LogId(u64::MAX));
        for text in ["", "x", "AQ", &"A".repeat(2000), &odd.to_string(), &huge.to_string()] {
            assert_eq!(text.parse::<Token>(), Err(TokenError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z0-9_-]{0,60}") {
            if let Ok(token) = text.parse::<Token>() {
                prop_assert_eq!(token.to_string().parse(), Ok(token));
            }
        }
    }
}
