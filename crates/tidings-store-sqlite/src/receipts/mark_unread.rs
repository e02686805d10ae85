//! Moving one's own mark back.

use tidings_core::conversations::Error;
use tidings_core::events::EventBody;
use tidings_core::ids::{MessageId, StreamId};
use tidings_core::ports::store::MarkUnread;
use tidings_core::receipts::{ReceiptKind, Standing};

use super::{get_place, no_such_message, standing, write_marks};
use crate::write::{Change, Draft, Failure, Tx};

pub(super) fn mark_unread(tx: &mut Tx<'_>, mark: MarkUnread) -> Result<Change<Standing>, Failure<Error>> {
    let MarkUnread { actor, conversation, seq, now } = mark;
    let (mut me, head) = get_place(tx, &actor, conversation)?;
    let (first, last) = (me.history_from_seq, head.last_seq);
    if seq < first || seq > last {
        return Err(no_such_message(format!("yours are those from {} to {}", first.0, last.0)));
    }
    if seq > me.marks.read_seq {
        return Ok(Change::nothing(standing(&head, &me)));
    }
    me.marks.read_seq = seq.previous();
    me.marks.read_ord = tx.rows().ord_at(MessageId { conversation, seq: me.marks.read_seq })?;
    let place = tx.next(StreamId::User(actor.user))?;
    write_marks(tx, &me, place.log_id)?;
    let (from_pos, marks) = (me.from_pos, me.marks);
    let body = EventBody::OwnMarks { conversation, from_pos, kind: ReceiptKind::Read, marks };
    Ok(Change::with(standing(&head, &me), Draft { place, actor: actor.user, at: now, body }, []))
}
