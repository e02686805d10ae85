//! A conversation as one of its people sees it.

use tidings_core::conversations::{
    ConversationKind, ConversationView, Head, Marks, Membership, PARTICIPANTS_SHOWN, Participant,
    ParticipantCursor, ParticipantPage, unread,
};
use tidings_core::ids::{ConversationId, MessageId, Pos, Seq, StreamId, UserId};
use tidings_core::limits::PRESENCE_NAMED_MAX;
use tidings_core::presence::Present;

use crate::messages::Eyes;
use crate::rows::{Rows, bound};

impl Rows<'_> {
    /// As the viewer sees it; none to strangers.
    pub(crate) fn view(
        &self,
        viewer: UserId,
        id: ConversationId,
    ) -> rusqlite::Result<Option<ConversationView>> {
        let Some(head) = self.head(StreamId::Conversation(id))? else { return Ok(None) };
        let mut intervals = self.intervals(id, viewer, head.last_pos)?;
        let readable = crate::messages::readable(&intervals, &head);
        let eyes = Eyes::of(viewer, &intervals);
        let Some(me) = intervals.pop() else { return Ok(None) };
        let conversation = self.named_conversation(id)?;
        let pos = seen_pos(&me, &head);
        let last_seq = seen_seq(&me, &head);
        let shown = match conversation.kind {
            ConversationKind::Group => PARTICIPANTS_SHOWN,
            ConversationKind::Direct | ConversationKind::SelfNotes => usize::MAX,
        };
        let participants = self.seen_participants(&me, pos, None, shown)?;
        let last_message = match readable.last() {
            Some(range) => self.message(MessageId { conversation: id, seq: Seq(*range.end()) }, eyes)?,
            None => None,
        };
        Ok(Some(ConversationView {
            conversation,
            participant_count: self.participant_count_at(id, pos)?,
            participants,
            pos,
            last_seq,
            last_message,
            unread: unread(&head, &me),
            me,
            last_sent_log: head.last_sent_log,
        }))
    }

    /// Who was in at `pos`. One who left is shown neither how far the others have come, which nobody knows of that
    /// moment any more, nor what they may do now.
    fn seen_participants(
        &self,
        me: &Membership,
        pos: Pos,
        after: Option<ParticipantCursor>,
        limit: usize,
    ) -> rusqlite::Result<Vec<Participant>> {
        let mut participants = self.participants_at(me.conversation, pos, after, limit)?;
        if me.to_pos.is_some() {
            for participant in &mut participants {
                participant.membership.marks = Marks::default();
                if let Some(role) = self.role_at(&participant.membership, pos)? {
                    participant.membership.role = role;
                }
            }
        }
        Ok(participants)
    }
}

/// The last event that the viewer may see.
pub(crate) fn seen_pos(me: &Membership, head: &Head) -> Pos {
    me.to_pos.unwrap_or(head.last_pos)
}

/// The last message that the viewer may see.
fn seen_seq(me: &Membership, head: &Head) -> Seq {
    me.to_seq.unwrap_or(head.last_seq)
}

/// A page of who is in; none to strangers.
pub(super) fn list_participants(
    rows: Rows<'_>,
    viewer: UserId,
    conversation: ConversationId,
    after: Option<ParticipantCursor>,
    limit: usize,
) -> rusqlite::Result<Option<ParticipantPage>> {
    let Some(head) = rows.head(StreamId::Conversation(conversation))? else { return Ok(None) };
    let Some(me) = rows.intervals(conversation, viewer, head.last_pos)?.pop() else { return Ok(None) };
    let pos = seen_pos(&me, &head);
    let mut participants = rows.seen_participants(&me, pos, after, limit.saturating_add(1))?;
    let has_more = participants.len() > limit;
    participants.truncate(limit);
    let last = participants.last().filter(|_| has_more);
    let next =
        last.map(|last| ParticipantCursor { from_pos: last.membership.from_pos, user: last.membership.user });
    Ok(Some(ParticipantPage { participants, next }))
}

pub(crate) const PRESENT_SQL: &str = "SELECT user FROM membership INDEXED BY membership_joined
    WHERE conversation = ?1 AND from_pos <= ?2 AND (to_pos IS NULL OR to_pos > ?2)";

/// Everybody who is in.
pub(super) fn list_present(rows: Rows<'_>, conversation: ConversationId) -> rusqlite::Result<Vec<Present>> {
    let Some(head) = rows.head(StreamId::Conversation(conversation))? else { return Ok(Vec::new()) };
    let mut statement = rows.conn.prepare_cached(PRESENT_SQL)?;
    let found = statement.query_map((conversation.as_bytes(), bound(head.last_pos.0)), |row| {
        Ok(Present { user: UserId::from_bytes(row.get(0)?), last_seen_at: None })
    })?;
    let mut present = found.collect::<rusqlite::Result<Vec<_>>>()?;
    if present.len() <= PRESENCE_NAMED_MAX {
        for one in &mut present {
            one.last_seen_at = rows.named_user(one.user)?.last_seen_at;
        }
    }
    Ok(present)
}
