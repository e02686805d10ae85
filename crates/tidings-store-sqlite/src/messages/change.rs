//! What every change of a message looks at first: is it there, is it the actor's to read, is the actor in.

use tidings_core::conversations::{Membership, MembershipState};
use tidings_core::ids::{MessageId, StreamId};
use tidings_core::messages::{Error, Message};
use tidings_core::sessions::Actor;

use super::{Eyes, readable};
use crate::conversations::PRESENT;
use crate::write::{Failure, Tx};

/// The message as everybody sees it, and the actor's membership.
pub(crate) fn get_to_change(
    tx: &Tx<'_>,
    actor: &Actor,
    id: MessageId,
) -> Result<(Message, Membership), Failure<Error>> {
    if tx.has_ended(actor.session) {
        return Err(Failure::Refused(Error::SessionEnded));
    }
    let not_found = || Failure::Refused(Error::NotFound);
    let head = tx.head(StreamId::Conversation(id.conversation))?.ok_or_else(not_found)?;
    let mut intervals = tx.rows().intervals(id.conversation, actor.user, PRESENT)?;
    if !readable(&intervals, &head).iter().any(|range| range.contains(&id.seq.0)) {
        return Err(not_found());
    }
    let message = tx.rows().message(id, Eyes::EVERYBODY)?.ok_or_else(not_found)?;
    let me = intervals.pop().ok_or_else(not_found)?;
    if me.state == MembershipState::Active {
        Ok((message, me))
    } else {
        Err(Failure::Refused(Error::NotParticipant))
    }
}
