//! Acknowledgements that the server waits for.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::handler::Reply;
use crate::engine::SendError;

/// Why an acknowledgement did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    /// Not in time. The client may have taken the event all the same.
    #[error("the acknowledgement did not come in time")]
    Timeout,
    /// The connection ended first. The client may have taken the event all the same.
    #[error("the connection ended before the acknowledgement")]
    Closed,
    /// The event was not sent: `acks_outstanding_max` acknowledgements are already waited for.
    #[error("too many acknowledgements are waited for")]
    TooMany,
    /// The event was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Who waits for which id. Empty, it holds no memory of its own.
#[derive(Debug, Default)]
pub(super) struct Acks {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next_id: u64,
    closed: bool,
    by_id: BTreeMap<u64, oneshot::Sender<Reply>>,
}

impl Acks {
    /// A new id, and where its acknowledgement will arrive.
    pub(super) fn expect(&self, outstanding_max: usize) -> Result<Expected<'_>, AckError> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(AckError::Closed);
        }
        if waiting.by_id.len() >= outstanding_max {
            return Err(AckError::TooMany);
        }
        let id = waiting.next_id;
        waiting.next_id += 1;
        waiting.by_id.insert(id, sender);
        Ok(Expected { acks: self, id, receiver })
    }

    /// An acknowledgement came. One that nobody waits for, any more or at all, is ignored: it costs one look-up.
    pub(super) fn resolve(&self, id: u64, reply: impl FnOnce() -> Reply) {
        let sender = self.waiting.lock().by_id.remove(&id);
        if let Some(sender) = sender {
            let _ = sender.send(reply());
        }
    }

    /// The connection has ended: everybody stops waiting.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting.lock();
        waiting.closed = true;
        waiting.by_id.clear();
    }
}

/// A place in the table, given back when it is dropped.
pub(super) struct Expected<'a> {
    acks: &'a Acks,
    pub(super) id: u64,
    pub(super) receiver: oneshot::Receiver<Reply>,
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.acks.waiting.lock().by_id.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn resolves_by_id_ignores_strangers_and_gives_places_back() {
        let acks = Acks::default();
        let (mut one, two) = (acks.expect(2).unwrap(), acks.expect(2).unwrap());
        assert_eq!(acks.expect(2).err(), Some(AckError::TooMany));
        acks.resolve(99, || panic!("nobody waits for it"));
        acks.resolve(one.id, || "1".to_owned().into());
        assert_eq!((&mut one.receiver).await.unwrap().args_json, "1");
        drop(two);
        assert!(acks.expect(1).is_ok());
        let mut last = acks.expect(1).unwrap();
        acks.close();
        assert!((&mut last.receiver).await.is_err());
        assert_eq!(acks.expect(2).err(), Some(AckError::Closed));
    }
}
