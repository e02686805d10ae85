//! What somebody has not read, over all conversations.

use std::cmp::Reverse;

use tidings_core::conversations::{Membership, MembershipState, unread};
use tidings_core::ids::{StreamId, UserId};
use tidings_core::receipts::{UnreadConversation, UnreadList};

use crate::conversations::MEMBERSHIP;
use crate::heads::{HEAD, head_of};
use crate::rows::{Rows, bound, later};

/// Columns that [`MEMBERSHIP`] has.
const HEAD_AT: usize = 19;

pub(crate) fn unread_sql() -> String {
    format!(
        "SELECT {MEMBERSHIP}, {HEAD} FROM membership AS m
         CROSS JOIN head AS h ON h.stream = CAST(x'01' || m.conversation AS BLOB)
         WHERE m.user = ?1 AND m.from_log <= ?2 AND (m.to_log IS NULL OR m.to_log > ?2)"
    )
}

pub(super) fn list_unread(
    rows: Rows<'_>,
    user: UserId,
    conversations_max: usize,
) -> rusqlite::Result<UnreadList> {
    let mut statement = rows.conn.prepare_cached(&unread_sql())?;
    let mut found = statement.query((user.as_bytes(), bound(rows.newer.as_of().0)))?;
    let (mut total, mut entries) = (0, Vec::new());
    while let Some(row) = found.next()? {
        // Who left after the state that is read is still in.
        let me = Membership { state: MembershipState::Active, ..rows.membership_of(row)? };
        let newer = rows.newer.head(StreamId::Conversation(me.conversation));
        let head = later(Some(head_of(row, HEAD_AT)?), newer).unwrap_or_default();
        let unread = unread(&head, &me);
        if unread > 0 {
            total += unread;
            entries.push((Reverse(head.last_sent_log), me.conversation, unread));
        }
    }
    entries.sort_unstable();
    let conversations = entries.into_iter().take(conversations_max);
    let conversations =
        conversations.map(|(_, conversation, unread)| UnreadConversation { conversation, unread }).collect();
    Ok(UnreadList { unread: total, conversations })
}
