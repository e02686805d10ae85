//! Storms: hundreds who react to one message at once leave an event each; the devices are told of them together.

use std::sync::Arc;

use crate::events::{About, Event, EventBody};

/// Makes one event of neighbours in the log that change what is on the same message. It stands where the last of them
/// does and spans them all, so whoever has a part of them takes it, and who has all of them drops it.
pub(super) fn merge_storms(events: &[Arc<Event>]) -> Vec<Arc<Event>> {
    let mut merged: Vec<Arc<Event>> = Vec::with_capacity(events.len());
    for event in events {
        match merged.last_mut().and_then(|last| Some((merge(last, event)?, last))) {
            Some((both, last)) => *last = Arc::new(both),
            None => merged.push(Arc::clone(event)),
        }
    }
    merged
}

fn merge(one: &Event, next: &Event) -> Option<Event> {
    let is_next = one.stream == next.stream && next.pos.0 - next.span == one.pos.0;
    if !is_next || reacted_to(&one.body)? != reacted_to(&next.body)? {
        return None;
    }
    let body = next.body.merged().unwrap_or_else(|| next.body.clone());
    let Event { log_id, stream, pos, at, actor, .. } = *next;
    Some(Event { log_id, stream, pos, span: one.span + next.span, at, actor, body })
}

fn reacted_to(body: &EventBody) -> Option<About> {
    match body {
        EventBody::ReactionAdded(_) | EventBody::ReactionRemoved(_) | EventBody::ReactionsChanged { .. } => {
            body.about()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::ids::{ConversationId, LogId, MessageId, Pos, Seq, SessionId, StreamId, UserId};
    use crate::reactions::{Reaction, ReactionChange};
    use uuid::Uuid;

    fn event(log_id: u64, stream: u128, pos: u64, body: EventBody) -> Arc<Event> {
        Arc::new(Event {
            log_id: LogId(log_id),
            stream: StreamId::Conversation(ConversationId(Uuid::from_u128(stream))),
            pos: Pos(pos),
            span: 1,
            at: Timestamp(0),
            actor: UserId(Uuid::nil()),
            body,
        })
    }

    fn added(seq: u64, count: u64) -> EventBody {
        let message = MessageId { conversation: ConversationId(Uuid::nil()), seq: Seq(seq) };
        let thumbs = Reaction { emoji: "👍".to_owned(), count, users: Vec::new(), mine: false };
        EventBody::ReactionAdded(ReactionChange {
            message,
            message_pos: Pos(seq),
            emoji: "👍".to_owned(),
            reactions: vec![thumbs],
        })
    }

    fn places(events: &[Arc<Event>]) -> Vec<(u64, u64, u64)> {
        events.iter().map(|event| (event.log_id.0, event.pos.0, event.span)).collect()
    }

    #[test]
    fn a_storm_becomes_one_event_with_what_is_there_after_it() {
        let storm: Vec<_> = (1..=5).map(|n| event(n, 1, 10 + n, added(1, n))).collect();
        let merged = merge_storms(&storm);
        assert_eq!(places(&merged), [(5, 15, 5)]);
        let EventBody::ReactionsChanged { reactions, .. } = &merged[0].body else { panic!("{merged:?}") };
        assert_eq!(reactions[0].count, 5);
    }

    #[test]
    fn what_stands_alone_or_is_about_something_else_stays() {
        let ended = EventBody::SessionEnded { session: SessionId(Uuid::nil()), tokens_until: Timestamp(0) };
        let events = [
            event(1, 1, 11, added(1, 1)),
            event(2, 1, 12, added(2, 1)),
            event(3, 1, 13, ended),
            event(4, 1, 14, added(2, 2)),
            event(5, 2, 7, added(2, 1)),
            event(6, 1, 15, added(2, 3)),
            // A gap: something of this stream is missing in between.
            event(7, 1, 17, added(2, 5)),
            event(8, 1, 18, added(2, 6)),
        ];
        let expected = [(1, 11, 1), (2, 12, 1), (3, 13, 1), (4, 14, 1), (5, 7, 1), (6, 15, 1), (8, 18, 2)];
        assert_eq!(places(&merge_storms(&events)), expected);
    }
}
