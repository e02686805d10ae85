//! Moving marks forward: of many people in one commit.

use tidings_core::conversations::{self, Membership};
use tidings_core::error::StoreError;
use tidings_core::events::EventBody;
use tidings_core::ids::{LogId, MessageId, Seq, StreamId};
use tidings_core::limits::{RECEIPTS_AN_EVENT, RECEIPTS_PARTICIPANTS_MAX};
use tidings_core::ports::store::{AdvanceMarks, MarkRequest};
use tidings_core::receipts::{Receipt, ReceiptKind, Standing};

use super::{get_place, no_such_message, standing, write_marks};
use crate::conversations::PRESENT;
use crate::write::{Change, Draft, Failure, Tx, Unexpected};

type Answer = Result<Standing, conversations::Error>;

/// What one person's marks become.
struct Moved {
    membership: Membership,
    /// Others are told of these.
    public: Vec<ReceiptKind>,
    /// The person's own devices are told of this.
    own: Option<ReceiptKind>,
    /// The last event that says so.
    log: LogId,
}

pub(super) fn advance_marks(
    tx: &mut Tx<'_>,
    advance: &AdvanceMarks,
) -> Result<Change<Vec<Answer>>, Failure<StoreError>> {
    let (mut answers, mut moved) = (Vec::new(), Vec::new());
    let is_told = tx.rows().participant_count_at(advance.conversation, PRESENT)? <= RECEIPTS_PARTICIPANTS_MAX;
    for request in &advance.marks {
        answers.push(match look(tx, advance, request, is_told, &mut moved) {
            Ok(standing) => Ok(standing),
            Err(Failure::Refused(refusal)) => Err(refusal),
            Err(Failure::Unexpected(error)) => return Err(error.into()),
        });
    }
    let mut drafts = Vec::new();
    for kind in [ReceiptKind::Read, ReceiptKind::Delivered] {
        tell_everybody(tx, advance, kind, &mut moved, &mut drafts)?;
    }
    tell_themselves(tx, advance, &mut moved, &mut drafts)?;
    for one in &moved {
        write_marks(tx, &one.membership, one.log)?;
    }
    let mut drafts = drafts.into_iter();
    Ok(match drafts.next() {
        Some(first) => Change::with(answers, first, drafts),
        None => Change::nothing(answers),
    })
}

/// What a request would move, and where its person stands then.
fn look(
    tx: &Tx<'_>,
    advance: &AdvanceMarks,
    request: &MarkRequest,
    is_told: bool,
    moved: &mut Vec<Moved>,
) -> Result<Standing, Failure<conversations::Error>> {
    let conversation = advance.conversation;
    let (mut me, head) = get_place(tx, &request.actor, conversation)?;
    let furthest = request.read.max(request.delivered).unwrap_or_default();
    if furthest > head.last_seq {
        return Err(no_such_message(format!("the last message is {}", head.last_seq.0)));
    }
    let shows = tx.rows().named_user(request.actor.user)?.settings.read_receipts;
    let (before, read) = (me.marks, request.read.unwrap_or_default());
    if read > before.read_seq {
        me.marks.read_seq = read;
        me.marks.read_ord = tx.rows().ord_at(MessageId { conversation, seq: read })?;
        me.marks.read_all = head.last_all;
    }
    if shows {
        // What was read has been received.
        let delivered: Seq = request.delivered.unwrap_or_default().max(read);
        me.marks.public_read_seq = before.public_read_seq.max(read);
        me.marks.delivered_seq = before.delivered_seq.max(delivered);
    }
    let answer = standing(&head, &me);
    if me.marks == before {
        return Ok(answer);
    }
    let has_read = me.marks.public_read_seq > before.public_read_seq;
    // A receipt of reading says that of receiving, too.
    let has_received = me.marks.delivered_seq > me.marks.public_read_seq.max(before.delivered_seq);
    let public: Vec<_> = [(has_read, ReceiptKind::Read), (has_received, ReceiptKind::Delivered)]
        .into_iter()
        .filter_map(|(has, kind)| (has && is_told).then_some(kind))
        .collect();
    // What nobody is told is for the reader's own devices.
    let has_moved = me.marks.read_seq > before.read_seq || has_read;
    let own = if has_moved && !public.contains(&ReceiptKind::Read) {
        Some(ReceiptKind::Read)
    } else {
        public.is_empty().then_some(ReceiptKind::Delivered)
    };
    moved.push(Moved { membership: me, public, own, log: LogId(0) });
    Ok(answer)
}

fn tell_everybody(
    tx: &mut Tx<'_>,
    advance: &AdvanceMarks,
    kind: ReceiptKind,
    moved: &mut [Moved],
    drafts: &mut Vec<Draft>,
) -> Result<(), Unexpected> {
    let mut told: Vec<&mut Moved> = moved.iter_mut().filter(|one| one.public.contains(&kind)).collect();
    for some in told.chunks_mut(RECEIPTS_AN_EVENT) {
        let place = tx.next(StreamId::Conversation(advance.conversation))?;
        let receipts: Vec<_> = some
            .iter()
            .map(|one| {
                let marks = one.membership.marks;
                let seq = match kind {
                    ReceiptKind::Read => marks.public_read_seq,
                    ReceiptKind::Delivered => marks.delivered_seq,
                };
                Receipt { user: one.membership.user, seq, at: advance.now }
            })
            .collect();
        some.iter_mut().for_each(|one| one.log = place.log_id);
        let actor = receipts[0].user;
        let body = match kind {
            ReceiptKind::Read => EventBody::MessagesRead(receipts),
            ReceiptKind::Delivered => EventBody::MessagesDelivered(receipts),
        };
        drafts.push(Draft { place, actor, at: advance.now, body });
    }
    Ok(())
}

fn tell_themselves(
    tx: &mut Tx<'_>,
    advance: &AdvanceMarks,
    moved: &mut [Moved],
    drafts: &mut Vec<Draft>,
) -> Result<(), Unexpected> {
    for one in moved {
        let Some(kind) = one.own else { continue };
        let Membership { conversation, user, from_pos, marks, .. } = one.membership;
        let place = tx.next(StreamId::User(user))?;
        one.log = place.log_id;
        let body = EventBody::OwnMarks { conversation, from_pos, kind, marks };
        drafts.push(Draft { place, actor: user, at: advance.now, body });
    }
    Ok(())
}
