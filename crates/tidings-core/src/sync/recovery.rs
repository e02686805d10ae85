//! The id under which a device may say that it has only lost its connection: Socket.IO's `pid`.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ids::Epoch;
use crate::services::Services;
use crate::sessions::Actor;

use super::Token;

const NONCE_BYTES: usize = 8;
const SEAL_BYTES: usize = 16;

/// Seals recovery ids over session, user and data set: nobody else's, and none of another history, opens.
pub struct RecoveryIds {
    key: hmac::Key,
    epoch: Epoch,
}

impl RecoveryIds {
    /// From the installation's secret, for the data set as it is.
    #[must_use]
    pub fn new(secret: &[u8; 32], epoch: Epoch) -> Self {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"recovery ids");
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()), epoch }
    }

    /// A new id for the actor: 32 characters. The nonce makes it another one than the last.
    #[must_use]
    pub fn seal(&self, actor: &Actor, nonce: [u8; NONCE_BYTES]) -> String {
        let tag = self.sign(actor, &nonce);
        let mut bytes = [0; NONCE_BYTES + SEAL_BYTES];
        bytes[..NONCE_BYTES].copy_from_slice(&nonce);
        bytes[NONCE_BYTES..].copy_from_slice(&tag.as_ref()[..SEAL_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whether the id was made for this actor, in this data set.
    #[must_use]
    pub fn opens(&self, actor: &Actor, id: &str) -> bool {
        let mut bytes = [0; NONCE_BYTES + SEAL_BYTES];
        match URL_SAFE_NO_PAD.decode_slice(id, &mut bytes) {
            Ok(length) if length == bytes.len() => {}
            _ => return false,
        }
        let (nonce, seal) = bytes.split_at(NONCE_BYTES);
        let tag = self.sign(actor, nonce);
        constant_time::verify_slices_are_equal(&tag.as_ref()[..SEAL_BYTES], seal).is_ok()
    }

    fn sign(&self, actor: &Actor, nonce: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [nonce, actor.session.as_bytes(), actor.user.as_bytes(), self.epoch.as_bytes()] {
            context.update(part);
        }
        context.sign()
    }
}

impl Services {
    /// A new id for a device to come back with.
    #[must_use]
    pub fn recovery_id(&self, actor: &Actor, nonce: [u8; NONCE_BYTES]) -> String {
        self.recovery_ids.seal(actor, nonce)
    }

    /// Whether a device that shows this id may resume after its `offset`, a token.
    #[must_use]
    pub fn may_recover(&self, actor: &Actor, id: &str) -> bool {
        self.recovery_ids.opens(actor, id)
    }

    /// Whether the tail in memory holds everything that the actor has missed since this token.
    #[must_use]
    pub fn has_whole_gap(&self, actor: &Actor, since: &str) -> bool {
        let Ok(token) = since.parse::<Token>() else { return false };
        let from = token.replay.map_or(token.through, |replay| replay.done_through);
        token.epoch == self.store.epoch() && self.delivery.tail_covers(actor.user, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::ids::{AppId, SessionId, UserId};
    use uuid::Uuid;

    fn actor(user: u128, session: u128) -> Actor {
        Actor {
            app: AppId::DEFAULT,
            user: UserId(Uuid::from_u128(user)),
            session: SessionId(Uuid::from_u128(session)),
            expires_at: Timestamp(0),
        }
    }

    #[test]
    fn an_id_opens_for_its_session_in_its_data_set_alone() {
        let ids = RecoveryIds::new(&[1; 32], Epoch(Uuid::from_u128(5)));
        let id = ids.seal(&actor(1, 2), [7; 8]);
        assert_eq!(id.len(), 32);
        assert!(ids.opens(&actor(1, 2), &id));
        assert_ne!(id, ids.seal(&actor(1, 2), [8; 8]));
        assert!(!ids.opens(&actor(9, 2), &id), "another user");
        assert!(!ids.opens(&actor(1, 9), &id), "another session");
        assert!(!RecoveryIds::new(&[1; 32], Epoch(Uuid::from_u128(6))).opens(&actor(1, 2), &id), "epoch");
        assert!(!RecoveryIds::new(&[2; 32], Epoch(Uuid::from_u128(5))).opens(&actor(1, 2), &id), "secret");
        for rubbish in ["", "x", &id[1..], &format!("{id}A"), &"A".repeat(32), &"é".repeat(16)] {
            assert!(!ids.opens(&actor(1, 2), rubbish), "{rubbish}");
        }
    }
}
