//! Reading what stands, as the owners see it, who are in from the beginning to the end.

use super::{Group, Shared};
use crate::history::{Checker, HistoryDigest, Id, Stored, StoredStream};

/// What came after that which has been compared.
pub(super) async fn read_stored(shared: &Shared, checker: &Checker) -> Stored {
    let mut stored = Stored::default();
    for group in &shared.groups {
        let (mut pos, mut seq) = checker.through(&group.id);
        let (owner, id) = (&group.owner, &group.id);
        let mut stream = StoredStream::default();
        loop {
            let page = shared.answered(|| shared.messenger.stream(owner, id, pos)).await;
            pos = page.events.last().map_or(pos, |event| event.pos);
            stream.events.extend(page.events.into_iter().map(|event| (event.pos, event.body)));
            if !page.has_more {
                break;
            }
        }
        loop {
            let page = shared.answered(|| shared.messenger.history(owner, id, seq)).await;
            seq = page.messages.last().map_or(seq, |message| message.seq);
            stream.history.extend(page.messages);
            if !page.has_more {
                break;
            }
        }
        let listed = shared.answered(|| shared.messenger.list(owner)).await;
        let own = listed.iter().find(|listed| listed.conversation == *id);
        // An owner's list without it is a head at nothing.
        stream.head = Some(own.map_or((0, 0), |listed| (listed.pos, listed.last_seq)));
        stored.conversations.insert(Id::clone(id), stream);
    }
    stored
}

/// The whole history.
pub(super) async fn read_digest(shared: &Shared, group: &Group) -> HistoryDigest {
    let (mut digest, mut seq) = (HistoryDigest::default(), 0);
    loop {
        let page = shared.answered(|| shared.messenger.history(&group.owner, &group.id, seq)).await;
        for message in &page.messages {
            digest.push(message);
        }
        seq = page.messages.last().map_or(seq, |message| message.seq);
        if !page.has_more {
            return digest;
        }
    }
}
