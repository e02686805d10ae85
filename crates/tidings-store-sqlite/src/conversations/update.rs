//! Giving somebody in a group another role.

use std::mem;

use tidings_core::conversations::{ConversationKind, Error, MembershipState, Participant, Role};
use tidings_core::events::EventBody;
use tidings_core::ids::StreamId;
use tidings_core::ports::store::UpdateParticipant;

use super::check_session;
use super::membership::{self, PRESENT};
use super::remove::is_last_owner;
use crate::write::{Change, Draft, Failure, Tx};

pub(super) fn update_participant(
    tx: &mut Tx<'_>,
    update: UpdateParticipant,
) -> Result<Change<Participant>, Failure<Error>> {
    let UpdateParticipant { actor, conversation, user, role, now } = update;
    check_session(tx, &actor)?;
    let Some(me) = tx.rows().intervals(conversation, actor.user, PRESENT)?.pop() else {
        return Err(Failure::Refused(Error::NotFound));
    };
    let kind = tx.rows().named_conversation(conversation)?.kind;
    if kind != ConversationKind::Group {
        return Err(Failure::Refused(Error::FixedParticipants));
    }
    if me.state != MembershipState::Active {
        return Err(Failure::Refused(Error::NotParticipant));
    }
    if me.role != Role::Owner {
        return Err(Failure::Refused(Error::Forbidden));
    }
    let latest = tx.rows().intervals(conversation, user, PRESENT)?.pop();
    let Some(mut membership) = latest.filter(|latest| latest.state == MembershipState::Active) else {
        return Err(Failure::Refused(Error::NotFound));
    };
    let person = tx.rows().named_user(user)?;
    if membership.role == role {
        return Ok(Change::nothing(Participant { user: person, membership }));
    }
    if membership.role == Role::Owner && is_last_owner(tx, conversation)? {
        return Err(Failure::Refused(Error::LastOwner));
    }
    let place = tx.next(StreamId::Conversation(conversation))?;
    let before = mem::replace(&mut membership.role, role);
    membership::set_role(tx.conn, &membership, before, place.pos)?;
    // What they may send is remembered with the role that they had.
    tx.forget_sender(conversation, user);
    let body = EventBody::ParticipantUpdated {
        user: person.clone(),
        from_pos: membership.from_pos,
        history_from_seq: membership.history_from_seq,
        role,
    };
    let draft = Draft { place, actor: actor.user, at: now, body };
    Ok(Change::with(Participant { user: person, membership }, draft, []))
}
