//! The conversations that somebody is in, latest message first.

use std::cmp::Reverse;

use tidings_core::conversations::{
    ConversationCursor, ConversationFilter, ConversationKind, ConversationPage, MembershipState,
};
use tidings_core::ids::{ConversationId, LogId, StreamId, UserId};

use crate::heads::{HEAD, head_of};
use crate::rows::{Rows, bound, later, named};

/// One of the list, in its order.
type Entry = (Reverse<LogId>, ConversationId);

pub(super) fn list_conversations(
    rows: Rows<'_>,
    viewer: UserId,
    filter: ConversationFilter,
    after: Option<ConversationCursor>,
    limit: usize,
) -> rusqlite::Result<ConversationPage> {
    let mut entries = list_entries(rows, viewer, filter)?;
    if let Some(after) = after {
        let after = (Reverse(after.last_sent_log), after.conversation);
        entries.retain(|entry| *entry > after);
    }
    entries.sort_unstable();
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| has_more).map(|(Reverse(last_sent_log), conversation)| {
        ConversationCursor { last_sent_log: *last_sent_log, conversation: *conversation }
    });
    // Messages and people are read for the page only.
    let mut conversations = Vec::with_capacity(entries.len());
    for (_, conversation) in entries {
        let view = rows.view(viewer, conversation)?;
        // The view reads the head again, which may be newer than the list: one who has just left is not in it.
        conversations.extend(view.filter(|view| view.me.state == MembershipState::Active));
    }
    Ok(ConversationPage { conversations, next })
}

/// Every conversation that the viewer is in, with its order.
fn list_entries(rows: Rows<'_>, viewer: UserId, filter: ConversationFilter) -> rusqlite::Result<Vec<Entry>> {
    // Who left after the state that is read is still in, and who came after it is not yet.
    let mut statement = rows.conn.prepare_cached(&format!("{LIST_SQL_HEAD} {HEAD} {LIST_SQL_TAIL}"))?;
    let mut found = statement.query((viewer.as_bytes(), bound(rows.newer.as_of().0)))?;
    let mut entries = Vec::new();
    while let Some(row) = found.next()? {
        let id = ConversationId::from_bytes(row.get(0)?);
        let kind = named(row, 1, ConversationKind::parse)?;
        if filter.kind.is_none_or(|wanted| wanted == kind) {
            let head = later(Some(head_of(row, 2)?), rows.newer.head(StreamId::Conversation(id)));
            entries.extend(head.map(|head| (Reverse(head.last_sent_log), id)));
        }
    }
    Ok(entries)
}

const LIST_SQL_HEAD: &str = "SELECT m.conversation, c.kind,";
const LIST_SQL_TAIL: &str = "FROM membership AS m
    CROSS JOIN conversation AS c ON c.id = m.conversation
    CROSS JOIN head AS h ON h.stream = CAST(x'01' || m.conversation AS BLOB)
    WHERE m.user = ?1 AND m.from_log <= ?2 AND (m.to_log IS NULL OR m.to_log > ?2)";
