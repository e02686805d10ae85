//! Catch-up by token: from the tail in memory without a query, else from the store, else `reset`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::delivery::TailPart;
use crate::error::{Code, FieldError, StoreError};
use crate::events::{Event, Thing};
use crate::ids::{LogId, StreamId, UserId};
use crate::ports::store::{CatchUp, PageMax};
use crate::services::Services;
use crate::sessions::Actor;

use super::{Error, Replay, ResetReason, SyncPage, Token};

impl Services {
    /// The next page of what happened in the actor's streams after `since`. Without a token it is the present token:
    /// the device takes it first and loads its windows then.
    ///
    /// A page has at most `limit` events, and about `bytes_max` of them in memory, which is the transport's to say.
    ///
    /// A transport that goes live registers its connection first, asks until a catch-up that began since then has no
    /// more, and lets live events above `through` pass: nothing is lost in between and nothing comes twice. One that is
    /// only [continued](SyncPage::is_continued) ends where it was to end when it began.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a limit out of range, [`StoreError::Overloaded`] when too many catch-ups are running.
    pub async fn sync(
        &self,
        actor: &Actor,
        since: Option<&str>,
        limit: Option<usize>,
        bytes_max: usize,
    ) -> Result<SyncPage, Error> {
        let page_max = self.check_page_max(limit, bytes_max)?;
        let Some(since) = since else { return Ok(self.present(None)) };
        let Ok(token) = since.parse::<Token>() else {
            return Ok(self.present(Some(ResetReason::TokenUnreadable)));
        };
        if token.epoch != self.store.epoch() {
            return Ok(self.present(Some(ResetReason::EpochChanged)));
        }
        let done_through = token.replay.map_or(token.through, |replay| replay.done_through);
        let end = token.replay.map(|replay| replay.end);
        // A replay that the store began may end above what has been dispatched yet: then the tail lacks its end.
        let tail = self.delivery.tail_after(actor.user, done_through, page_max);
        // Nor does it have an end that lies within what was merged on its way out.
        let cuts = |end: LogId, event: &Event| event.log_id > end && event.span > 1;
        let is_whole = |tail: &TailPart| {
            end.is_none_or(|end| end <= tail.through && !tail.events.iter().any(|event| cuts(end, event)))
        };
        if let Some(tail) = tail.filter(is_whole) {
            let end = end.unwrap_or(tail.through);
            let events = tail.events.into_iter().filter(|event| event.log_id <= end).collect();
            self.counters.caught_up(true, false);
            return Ok(page_of(token, events, page_max, end, actor.user));
        }
        self.sync_from_store(actor, token, page_max).await
    }

    async fn sync_from_store(
        &self,
        actor: &Actor,
        token: Token,
        page_max: PageMax,
    ) -> Result<SyncPage, Error> {
        let _permit = self.cold_catch_ups.acquire().await.map_err(|_| StoreError::Overloaded)?;
        let (end, floor) = self.store.log_bounds().await?;
        if token.through > end || token.replay.is_some_and(|replay| replay.end > end) {
            return Ok(self.present(Some(ResetReason::EpochChanged)));
        }
        if token.through < floor {
            return Ok(self.present(Some(ResetReason::TooOld)));
        }
        let catch_up = CatchUp {
            user: actor.user,
            from: token.through,
            through: token.replay.map(|replay| replay.end),
            done_through: token.replay.map_or(token.through, |replay| replay.done_through),
            page_max,
            stream_events_max: self.limits.sync_stream_events_max,
            streams_max: self.limits.sync_streams_max,
        };
        let Some(page) = self.store.catch_up(catch_up).await? else {
            return Ok(self.present(Some(ResetReason::TooMuchChanged)));
        };
        self.counters.caught_up(false, false);
        let replay = Replay { end: page.through, done_through: page.done_through, skips_told: true };
        let next = if page.has_more {
            Token { replay: Some(replay), ..token }
        } else {
            Token::at(token.epoch, page.through)
        };
        // Every page of a catch-up finds the same streams skipped; the device is told once.
        let were_told = token.replay.is_some_and(|replay| replay.skips_told);
        let skipped = if were_told { Vec::new() } else { page.skipped };
        Ok(SyncPage {
            events: fold(page.events.into_iter().map(Arc::new).collect(), actor.user),
            next,
            has_more: page.has_more,
            is_continued: token.replay.is_some(),
            skipped,
            reset: None,
            through: page.through,
        })
    }

    /// An empty page that holds the present token.
    fn present(&self, reset: Option<ResetReason>) -> SyncPage {
        if reset.is_some() {
            self.counters.caught_up(false, true);
        }
        SyncPage {
            events: Vec::new(),
            next: self.delivery.present_token(),
            has_more: false,
            is_continued: false,
            skipped: Vec::new(),
            reset,
            through: LogId(0),
        }
    }

    pub(super) fn check_page_max(&self, limit: Option<usize>, bytes: usize) -> Result<PageMax, Error> {
        let max = self.limits.sync_page_max;
        let events = limit.unwrap_or(max);
        if (1..=max).contains(&events) {
            return Ok(PageMax { events, bytes });
        }
        let error = FieldError::new("/limit", Code::Invalid, format!("from 1 to {max}"));
        Err(Error::Invalid(vec![error]))
    }
}

/// A page of events that are all at hand.
fn page_of(
    token: Token,
    mut events: Vec<Arc<Event>>,
    page_max: PageMax,
    end: LogId,
    own: UserId,
) -> SyncPage {
    let mut bytes = 0;
    let fits = |(index, event): &(usize, &Arc<Event>)| {
        bytes += event.bytes();
        *index == 0 || *index < page_max.events && bytes <= page_max.bytes
    };
    let fitting = events.iter().enumerate().take_while(fits).count();
    let has_more = events.len() > fitting;
    events.truncate(fitting);
    let next = match events.last() {
        Some(last) if has_more => {
            // Nothing was skipped here, so whether the device knows of skipped streams stays as it was.
            let skips_told = token.replay.is_some_and(|replay| replay.skips_told);
            Token { replay: Some(Replay { end, done_through: last.log_id, skips_told }), ..token }
        }
        _ => Token::at(token.epoch, end),
    };
    SyncPage {
        events: fold(events, own),
        next,
        has_more,
        is_continued: token.replay.is_some(),
        skipped: Vec::new(),
        reset: None,
        through: end,
    }
}

/// The last event about a thing.
struct Last {
    log_id: LogId,
    is_one_of_many: bool,
}

/// Folds a page to the last event per thing. The next event of the stream spans the positions of what was folded. What
/// is on a message after several changes is said at once.
///
/// The device's own joining and leaving stay: between them lie positions that are not its to see, and only a joining
/// tells it that the stream begins anew there.
fn fold(events: Vec<Arc<Event>>, own: UserId) -> Vec<Arc<Event>> {
    let thing = |event: &Event| match event.thing() {
        Some(Thing::Participation(_, user)) if user == own => None,
        thing => thing,
    };
    let mut last: HashMap<Thing, Last> = HashMap::new();
    for event in &events {
        if let Some(thing) = thing(event) {
            let is_one_of_many = last.contains_key(&thing);
            last.insert(thing, Last { log_id: event.log_id, is_one_of_many });
        }
    }
    if last.is_empty() {
        return events;
    }
    let mut folded_span: HashMap<StreamId, u64> = HashMap::new();
    let mut kept = Vec::with_capacity(events.len());
    for event in events {
        let last = thing(&event).and_then(|thing| last.get(&thing));
        if last.is_some_and(|last| last.log_id != event.log_id) {
            *folded_span.entry(event.stream).or_default() += event.span;
            continue;
        }
        let merged = event.body.merged().filter(|_| last.is_some_and(|last| last.is_one_of_many));
        let span = folded_span.remove(&event.stream);
        if merged.is_none() && span.is_none() {
            kept.push(event);
            continue;
        }
        let (span, body) = (event.span + span.unwrap_or(0), merged.unwrap_or_else(|| event.body.clone()));
        kept.push(Arc::new(Event { span, body, ..(*event).clone() }));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::User;
    use crate::clock::Timestamp;
    use crate::conversations::{Marks, Membership, MembershipState, Participant, Preferences, Role};
    use crate::events::EventBody;
    use crate::ids::{AppId, ConversationId, Epoch, Pos, Seq, SessionId};
    use uuid::Uuid;

    const NOBODY: UserId = UserId(Uuid::nil());

    fn event(log_id: u64, stream: u128, body: EventBody) -> Arc<Event> {
        Arc::new(Event {
            log_id: LogId(log_id),
            stream: StreamId::Conversation(ConversationId(Uuid::from_u128(stream))),
            pos: Pos(log_id),
            span: 1,
            at: Timestamp(0),
            actor: UserId(Uuid::nil()),
            body,
        })
    }

    fn other(log_id: u64) -> Arc<Event> {
        let body = EventBody::SessionEnded { session: SessionId(Uuid::nil()), tokens_until: Timestamp(0) };
        event(log_id, 1, body)
    }

    fn joined(log_id: u64, stream: u128, n: u128) -> Arc<Event> {
        let id = UserId(Uuid::from_u128(n));
        let user = User {
            id,
            app: AppId::DEFAULT,
            external_id: None,
            username: String::new(),
            email: None,
            first_name: None,
            last_name: None,
            display_name: String::new(),
            avatar_url: None,
            created_at: Timestamp(0),
            last_seen_at: None,
            settings: crate::accounts::UserSettings::default(),
        };
        let membership = Membership {
            conversation: ConversationId(Uuid::from_u128(stream)),
            user: id,
            from_pos: Pos(log_id),
            to_pos: None,
            from_seq: Seq(1),
            to_seq: None,
            history_from_seq: Seq(1),
            from_log: LogId(log_id),
            to_log: None,
            joined_at: Timestamp(0),
            role: Role::Member,
            state: MembershipState::Active,
            marks: Marks::default(),
            preferences: Preferences::default(),
        };
        event(log_id, stream, EventBody::ParticipantJoined(Participant { user, membership }))
    }

    fn folded(events: Vec<Arc<Event>>) -> Vec<(u64, u64)> {
        fold(events, NOBODY).iter().map(|event| (event.log_id.0, event.span)).collect()
    }

    #[test]
    fn the_last_event_about_a_thing_stays_and_spans_what_was_folded() {
        let events = vec![joined(1, 1, 7), other(2), joined(3, 1, 7), joined(4, 1, 8), joined(5, 1, 7)];
        assert_eq!(folded(events), [(2, 2), (4, 2), (5, 1)]);
    }

    #[test]
    fn ones_own_joining_stays() {
        let events = vec![joined(1, 1, 7), joined(2, 1, 8), joined(3, 1, 7), joined(4, 1, 8)];
        let own = UserId(Uuid::from_u128(7));
        let kept: Vec<_> = fold(events, own).iter().map(|event| (event.log_id.0, event.span)).collect();
        assert_eq!(kept, [(1, 1), (3, 2), (4, 1)]);
    }

    #[test]
    fn another_stream_is_another_thing() {
        let events = vec![joined(1, 1, 7), joined(2, 2, 7), joined(3, 1, 7)];
        assert_eq!(folded(events), [(2, 1), (3, 2)]);
    }

    #[test]
    fn pages_of_the_tail_continue_where_the_one_before_ended() {
        let token = Token::at(Epoch(Uuid::nil()), LogId(0));
        let first = page_of(token, vec![other(1), other(2), other(3)], PageMax::events(2), LogId(9), NOBODY);
        assert!(first.has_more);
        assert_eq!(first.next.through, LogId(0));
        assert_eq!(
            first.next.replay,
            Some(Replay { end: LogId(9), done_through: LogId(2), skips_told: false })
        );
        let last = page_of(first.next, vec![other(3)], PageMax::events(2), LogId(9), NOBODY);
        assert!(!last.has_more);
        assert_eq!(last.next, Token::at(Epoch(Uuid::nil()), LogId(9)));
    }

    #[test]
    fn a_page_is_bounded_in_bytes_and_still_gives_one_event() {
        let token = Token::at(Epoch(Uuid::nil()), LogId(0));
        for (bytes, given) in [(1, 1), (2 * other(1).bytes(), 2)] {
            let page = page_of(
                token,
                vec![other(1), other(2), other(3)],
                PageMax { events: 9, bytes },
                LogId(9),
                NOBODY,
            );
            assert_eq!((page.events.len(), page.has_more), (given, true));
        }
    }
}
