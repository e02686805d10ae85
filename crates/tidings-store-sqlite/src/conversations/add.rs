//! Opening intervals: people come into a group, or come back.

use tidings_core::conversations::{
    Conversation, ConversationKind, Error, Marks, Membership, MembershipState, NewcomerHistory, Participant,
    Preferences, Role,
};
use tidings_core::events::EventBody;
use tidings_core::ids::{ConversationId, Seq, StreamId, UserId};
use tidings_core::ports::store::AddParticipants;

use super::membership::{self, PRESENT};
use super::{check_session, check_users, missing};
use crate::idempotency;
use crate::write::{Change, Draft, Failure, Tx};

type Added = Result<Change<Vec<Participant>>, Failure<Error>>;

pub(super) fn add_participants(tx: &mut Tx<'_>, add: &AddParticipants) -> Added {
    check_session(tx, &add.actor)?;
    let conversation = check_actor(tx, add)?;
    if let Some(request) = &add.request
        && idempotency::find(tx.conn, &add.actor, request, add.now)?.is_some()
    {
        return Ok(Change::nothing(as_they_stand(tx, add)?));
    }
    check_users(tx, add.actor.app, &add.users, |index| format!("/userIds/{index}"))?;
    let mut newcomers: Vec<UserId> = Vec::new();
    for user in &add.users {
        if !newcomers.contains(user) && !is_in(tx, add.conversation, *user)? {
            newcomers.push(*user);
        }
    }
    let count = check_room(tx, add, newcomers.len())?;
    insert(tx, add, &conversation, &newcomers, count)
}

fn check_actor(tx: &Tx<'_>, add: &AddParticipants) -> Result<Conversation, Failure<Error>> {
    let intervals = tx.rows().intervals(add.conversation, add.actor.user, PRESENT)?;
    let Some(actor) = intervals.last() else { return Err(Failure::Refused(Error::NotFound)) };
    if actor.state != MembershipState::Active {
        return Err(Failure::Refused(Error::NotParticipant));
    }
    let conversation = tx
        .rows()
        .conversation(add.conversation)?
        .ok_or_else(|| missing("the conversation of a membership"))?;
    if conversation.kind != ConversationKind::Group {
        return Err(Failure::Refused(Error::FixedParticipants));
    }
    if !conversation.settings.add.includes(actor.role) {
        return Err(Failure::Refused(Error::Forbidden));
    }
    Ok(conversation)
}

/// How many are in, if the newcomers fit in as well.
fn check_room(tx: &Tx<'_>, add: &AddParticipants, newcomers: usize) -> Result<usize, Failure<Error>> {
    let count = tx.rows().participant_count_at(add.conversation, PRESENT)?;
    if newcomers > 0 && count + newcomers > add.participants_max {
        return Err(Failure::Refused(Error::TooManyParticipants { max: add.participants_max }));
    }
    Ok(count)
}

fn is_in(tx: &Tx<'_>, conversation: ConversationId, user: UserId) -> rusqlite::Result<bool> {
    let intervals = tx.rows().intervals(conversation, user, PRESENT)?;
    Ok(intervals.last().is_some_and(|latest| latest.state == MembershipState::Active))
}

fn insert(
    tx: &mut Tx<'_>,
    add: &AddParticipants,
    conversation: &Conversation,
    newcomers: &[UserId],
    count: usize,
) -> Added {
    let mut drafts = Vec::with_capacity(newcomers.len());
    for (count, user) in (count + 1..).zip(newcomers) {
        drafts.push(insert_one(tx, add, conversation, *user, count)?);
    }
    if let Some(request) = &add.request {
        idempotency::insert(tx.conn, &add.actor, request, add.conversation, add.now)?;
    }
    let value = as_they_stand(tx, add)?;
    let mut drafts = drafts.into_iter();
    Ok(match (drafts.next(), &add.request) {
        (Some(first), _) => Change::with(value, first, drafts),
        (None, Some(_)) => {
            Change::silent(value, "all of them are in already; only the request's key is kept")
        }
        (None, None) => Change::nothing(value),
    })
}

fn insert_one(
    tx: &mut Tx<'_>,
    add: &AddParticipants,
    conversation: &Conversation,
    user: UserId,
    count: usize,
) -> Result<Draft, Failure<Error>> {
    let place = tx.next(StreamId::Conversation(add.conversation))?;
    let head = tx.head(place.stream)?.ok_or_else(|| missing("the head of a stream"))?;
    let from_seq = head.last_seq.next();
    let membership = Membership {
        conversation: add.conversation,
        user,
        from_pos: place.pos,
        to_pos: None,
        from_seq,
        to_seq: None,
        history_from_seq: match conversation.settings.history {
            NewcomerHistory::Joining => from_seq,
            NewcomerHistory::All => Seq(1),
        },
        from_log: place.log_id,
        to_log: None,
        joined_at: add.now,
        role: Role::Member,
        state: MembershipState::Active,
        marks: Marks::at_entry(head.last_seq, head.last_ord, head.last_all),
        preferences: Preferences::default(),
    };
    membership::insert(tx.conn, &membership, count)?;
    tx.forget_sender(add.conversation, user);
    let joined = Participant { user: tx.rows().named_user(user)?, membership };
    Ok(Draft { place, actor: add.actor.user, at: add.now, body: EventBody::ParticipantJoined(joined) })
}

/// Each of the request once, with the latest interval.
fn as_they_stand(tx: &Tx<'_>, add: &AddParticipants) -> rusqlite::Result<Vec<Participant>> {
    let mut participants: Vec<Participant> = Vec::with_capacity(add.users.len());
    for user in &add.users {
        if participants.iter().any(|known| known.membership.user == *user) {
            continue;
        }
        if let Some(membership) = tx.rows().intervals(add.conversation, *user, PRESENT)?.pop() {
            participants.push(Participant { user: tx.rows().named_user(*user)?, membership });
        }
    }
    Ok(participants)
}
