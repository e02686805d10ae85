//! Closing an interval: somebody leaves a group or is removed.

use tidings_core::conversations::{ConversationKind, Error, Membership, MembershipState, Role};
use tidings_core::events::EventBody;
use tidings_core::ids::{ConversationId, StreamId};
use tidings_core::ports::store::RemoveParticipant;

use super::membership::{self, PRESENT};
use super::{check_session, missing};
use crate::write::{Change, Draft, Failure, Tx};

pub(super) fn remove_participant(
    tx: &mut Tx<'_>,
    remove: &RemoveParticipant,
) -> Result<Change<()>, Failure<Error>> {
    check_session(tx, &remove.actor)?;
    let Some(actor) = tx.rows().intervals(remove.conversation, remove.actor.user, PRESENT)?.pop() else {
        return Err(Failure::Refused(Error::NotFound));
    };
    let conversation = tx
        .rows()
        .conversation(remove.conversation)?
        .ok_or_else(|| missing("the conversation of a membership"))?;
    if conversation.kind != ConversationKind::Group {
        return Err(Failure::Refused(Error::FixedParticipants));
    }
    let leaving = remove.user == remove.actor.user;
    let target = if leaving { actor } else { check_target(tx, remove, &actor)? };
    if target.state != MembershipState::Active {
        return Ok(Change::nothing(()));
    }
    if target.role == Role::Owner && is_last_owner(tx, remove.conversation)? {
        return Err(Failure::Refused(Error::LastOwner));
    }
    let state = if leaving { MembershipState::Left } else { MembershipState::Removed };
    close(tx, remove, target, state)
}

/// Another's latest interval, if the actor may close it.
fn check_target(
    tx: &Tx<'_>,
    remove: &RemoveParticipant,
    actor: &Membership,
) -> Result<Membership, Failure<Error>> {
    if actor.state != MembershipState::Active {
        return Err(Failure::Refused(Error::NotParticipant));
    }
    let Some(target) = tx.rows().intervals(remove.conversation, remove.user, PRESENT)?.pop() else {
        return Err(Failure::Refused(Error::NotFound));
    };
    if actor.role > target.role { Ok(target) } else { Err(Failure::Refused(Error::Forbidden)) }
}

pub(crate) const OWNERS_SQL: &str = "SELECT 1 FROM membership INDEXED BY membership_owner
    WHERE conversation = ?1 AND role = 'owner' AND to_pos IS NULL LIMIT 2";

pub(super) fn is_last_owner(tx: &Tx<'_>, conversation: ConversationId) -> rusqlite::Result<bool> {
    let mut statement = tx.conn.prepare_cached(OWNERS_SQL)?;
    let owners = statement.query_map([conversation.as_bytes()], |_| Ok(()))?;
    Ok(owners.count() < 2)
}

fn close(
    tx: &mut Tx<'_>,
    remove: &RemoveParticipant,
    mut target: Membership,
    state: MembershipState,
) -> Result<Change<()>, Failure<Error>> {
    let place = tx.next(StreamId::Conversation(remove.conversation))?;
    let head = tx.head(place.stream)?.ok_or_else(|| missing("the head of a stream"))?;
    target.to_pos = Some(place.pos);
    target.to_seq = Some(head.last_seq);
    target.to_log = Some(place.log_id);
    target.state = state;
    let count = tx.rows().participant_count_at(remove.conversation, PRESENT)?;
    membership::close(tx.conn, &target, count.saturating_sub(1))?;
    tx.forget_sender(remove.conversation, remove.user);
    let user = tx.rows().named_user(remove.user)?;
    let body = EventBody::ParticipantLeft { user, membership: target };
    Ok(Change::with((), Draft { place, actor: remove.actor.user, at: remove.now, body }, []))
}
